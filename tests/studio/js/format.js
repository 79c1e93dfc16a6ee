// Says what in the page's JavaScript is not laid out as agreed, and fails if there is any; with --write it lays it out.

import {createFromBuffer} from '@dprint/formatter';
import {getPath} from '@dprint/typescript';
import {readdirSync, readFileSync, writeFileSync} from 'node:fs';

const FOLDERS = ['src/lead/studio/static', 'tests/studio/js'];
const WIDTH = {lineWidth: 120, indentWidth: 2};
const STYLE = {quoteStyle: 'alwaysSingle', spaceSurroundingProperties: false,
  'importDeclaration.spaceSurroundingNamedImports': false, 'exportDeclaration.spaceSurroundingNamedExports': false,
  preferHanging: true, 'arguments.preferHanging': 'always', 'parameters.preferHanging': 'always',
  'arrowFunction.useParentheses': 'force'};

const formatter = createFromBuffer(readFileSync(getPath()));
formatter.setConfig(WIDTH, STYLE);
const mistakes = formatter.getConfigDiagnostics();
if (mistakes.length) throw new Error(JSON.stringify(mistakes));

/** Lays a file's text out. Once is not always enough: a line that was broken may make another too long.
 *  @param {string} filePath @param {string} fileText @returns {string} */
function laidOut(filePath, fileText) {
  const formatted = formatter.formatText({filePath, fileText});
  return formatted === fileText ? formatted : laidOut(filePath, formatted);
}

for (const folder of FOLDERS) {
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.js'))) {
    const path = `${folder}/${name}`;
    const text = readFileSync(path, 'utf8');
    const formatted = laidOut(path, text);
    const problems = formatted.split('\n').flatMap((line, i) =>
      line.length > WIDTH.lineWidth ? [`${path}:${i + 1}: longer than ${WIDTH.lineWidth} columns`] : []
    );
    if (formatted !== text && process.argv.includes('--write')) writeFileSync(path, formatted);
    else if (formatted !== text) problems.push(`${path}: not laid out as agreed; \`npm run format\` does it`);
    for (const problem of problems) console.error(problem);
    if (problems.length) process.exitCode = 1;
  }
}
