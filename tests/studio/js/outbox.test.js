import assert from 'node:assert/strict';
import {beforeEach, test} from 'node:test';

/**
 * @import {LabelsChange, PictureLabels, Point} from 'types/messages'
 * @import {Api} from '../../../src/lead/studio/static/api.js'
 * @import {Conflict} from '../../../src/lead/studio/static/outbox.js'
 */

/** Keeps texts as a browser does. */
class Shelf {
  /** @param {string} key @returns {string|null} */
  getItem(key) {
    return Object.entries(this).find(([name]) => name === key)?.[1] ?? null;
  }
  /** @param {string} key @param {string} value */
  setItem(key, value) {
    Object.assign(this, {[key]: value});
  }
  /** @param {string} key */
  removeItem(key) {
    Reflect.deleteProperty(this, key);
  }
}

Object.assign(globalThis, {window: globalThis, addEventListener: () => {}});
Object.defineProperty(globalThis, 'navigator', {value: {}, configurable: true}); // a browser without locks
const {NOWHERE, Outbox, same, saidOf, Undo, unsaid} = await import('../../../src/lead/studio/static/outbox.js');
const {ApiError} = await import('../../../src/lead/studio/static/api.js');
const {absent} = await import('../../../src/lead/studio/static/specimens.js');

beforeEach(() => {
  for (const name of ['localStorage', 'sessionStorage']) {
    Object.defineProperty(globalThis, name, {value: new Shelf(), configurable: true});
  }
});

/** @param {number} x @returns {Point} */
const at = (x) => ({state: 'visible', x, y: 0});

/** A server with one picture; `fails` is what it answers next, `wait` what it waits for before it answers. */
class Server {
  /** @type {PictureLabels} */
  labels = {...absent('a'), version: 1, gone: false};
  connection = 'open';
  /** @type {unknown} */
  fails = null;
  wait = Promise.resolve();
  /** @type {LabelsChange[]} */
  sent = [];
  on() {}
  async get() {
    return {id: 'a', file: 'a.png', width: 9, height: 9, labels: structuredClone(this.labels)};
  }
  /** @param {string} _ @param {LabelsChange} change */
  async patch(_, change) {
    this.sent.push(structuredClone(change));
    await this.wait;
    if (this.fails) throw this.fails;
    if (change.base !== this.labels.version) {
      throw new ApiError(409, 'changed since', {error: '', labels: this.labels, landmarks: null, dropped: null,
        theirs: null});
    }
    this.write(change.points, change);
    return structuredClone(this.labels);
  }
  /** Somebody's change. @param {LabelsChange['points']} points @param {Partial<LabelsChange>} marks */
  write(points, {note, tags, up} = {}) {
    const kept = Object.entries({...this.labels.points, ...points}).flatMap(([k, p]) => p ? [[k, p]] : []);
    this.labels = {...this.labels, version: this.labels.version + 1, points: Object.fromEntries(kept),
      note: note ?? this.labels.note, tags: tags ?? this.labels.tags,
      up: up ? (up.x || up.y ? up : null) : this.labels.up};
  }
}

/** Lets all that does not wait for a clock happen. */
const turn = () => new Promise((resolve) => setTimeout(resolve));

async function begun() {
  const server = new Server();
  const outbox = new Outbox(/** @type {Api} */ (/** @type {unknown} */ (server)), 'labels.json');
  await outbox.start();
  await outbox.load('a');
  return {server, outbox};
}

test('a change shows at once and is saved', async () => {
  const {server, outbox} = await begun();
  outbox.change('a', {eye: at(3)});
  assert.deepEqual(outbox.labels('a')?.points, {eye: at(3)});
  assert.equal(outbox.status().state, 'saving');
  assert.ok(await outbox.flushed());
  assert.equal(outbox.status().state, 'saved');
  assert.deepEqual(server.labels.points, {eye: at(3)});
});

test('what is changed while a change is on its way goes after it', async () => {
  const {server, outbox} = await begun();
  let answer = () => {};
  server.wait = new Promise((resolve) => answer = () => resolve(undefined));
  outbox.change('a', {eye: at(1)});
  outbox.change('a', {eye: at(2), tip: at(5)});
  assert.equal(server.sent.length, 1);
  answer();
  assert.ok(await outbox.flushed());
  assert.deepEqual(server.labels.points, {eye: at(2), tip: at(5)});
  assert.deepEqual(server.sent.map((change) => change.base), [1, 2]);
});

test('what another changed meanwhile stands, but only where it is the same landmark\'s', async () => {
  const {server, outbox} = await begun();
  /** @type {Conflict[]} */
  const conflicts = [];
  outbox.on('conflict', (conflict) => conflicts.push(conflict));
  server.write({eye: at(7), nose: at(8)});
  outbox.change('a', {eye: at(1), tip: at(2)});
  assert.ok(await outbox.flushed());
  assert.deepEqual(server.labels.points, {eye: at(7), nose: at(8), tip: at(2)});
  assert.deepEqual(outbox.labels('a')?.points, server.labels.points);
  assert.deepEqual(conflicts, [{id: 'a', points: [{name: 'eye', mine: at(1), theirs: at(7)}]}]);
});

test('a change that was written though its answer was lost is no conflict', async () => {
  const {server, outbox} = await begun();
  outbox.on('conflict', () => assert.fail('there is none'));
  const lost = server.patch.bind(server);
  server.patch = async (path, change) => {
    await lost(path, change);
    server.patch = lost;
    throw new ApiError(0, 'The server does not answer.');
  };
  outbox.change('a', {eye: at(1)});
  await turn();
  clearTimeout(outbox.timer);
  outbox.change('a', {eye: at(2)});
  await turn();
  assert.equal(outbox.changes(), 0);
  assert.deepEqual(server.labels.points, {eye: at(2)});
});

test('what the server refuses for good is said, and can be given up', async () => {
  const {server, outbox} = await begun();
  server.fails = new ApiError(422, 'no such landmark');
  outbox.change('a', {eye: at(1)});
  assert.ok(!(await outbox.flushed()));
  assert.deepEqual(outbox.status(), {state: 'unsaved', changes: 1, reason: 'no such landmark',
    refused: [{id: 'a', error: 'no such landmark'}]});
  outbox.discard('a');
  assert.equal(outbox.status().state, 'saved');
  assert.deepEqual(outbox.labels('a')?.points, {});
});

test('what is not saved outlives the page', async () => {
  const {server, outbox} = await begun();
  server.fails = new ApiError(0, 'The server does not answer.');
  outbox.change('a', {eye: at(1)}, {checked: true, note: 'torn wing', tags: ['female']});
  await turn();
  clearTimeout(outbox.timer);
  server.fails = null;
  const next = new Outbox(outbox.api, 'labels.json'); // after a reload, with the same storage
  await next.start();
  assert.ok(await next.flushed());
  assert.deepEqual(server.labels.points, {eye: at(1)});
  assert.equal(server.sent.at(-1)?.checked, true);
  assert.deepEqual([server.labels.note, server.labels.tags], ['torn wing', ['female']]);
});

test('a note and tags show at once and are saved; what another wrote meanwhile stands, and is told', async () => {
  const {server, outbox} = await begun();
  /** @type {Conflict[]} */
  const conflicts = [];
  outbox.on('conflict', (conflict) => conflicts.push(conflict));
  outbox.change('a', {}, {note: 'torn', tags: ['female']});
  assert.deepEqual([outbox.labels('a')?.note, outbox.labels('a')?.tags], ['torn', ['female']]);
  assert.equal(outbox.status().changes, 2);
  assert.ok(await outbox.flushed());
  assert.deepEqual([server.labels.note, server.labels.tags], ['torn', ['female']]);
  server.write({}, {note: 'theirs', tags: ['female', 'skip']});
  outbox.change('a', {eye: at(1)}, {note: 'mine', tags: ['blurred']});
  assert.ok(await outbox.flushed());
  assert.deepEqual(server.labels.points, {eye: at(1)});
  assert.equal(server.labels.note, 'theirs');
  assert.deepEqual(server.labels.tags, ['skip', 'blurred'], 'ours took female away and added blurred');
  assert.deepEqual(conflicts, [{id: 'a', points: [], note: {mine: 'mine', theirs: 'theirs'}}]);
});

test('which way is up shows at once and is saved, the latest word last, and can be taken back', async () => {
  const {server, outbox} = await begun();
  outbox.change('a', {}, {up: {x: 1, y: 0}});
  assert.deepEqual(outbox.labels('a')?.up, {x: 1, y: 0});
  assert.equal(outbox.status().changes, 1);
  assert.ok(await outbox.flushed());
  assert.deepEqual([server.labels.up, server.labels.note], [{x: 1, y: 0}, '']);
  server.write({eye: at(1)}, {up: {x: 0, y: 1}}); // in another tab
  outbox.change('a', {}, {up: {x: -1, y: 0}});
  assert.ok(await outbox.flushed());
  assert.deepEqual([server.labels.up, server.labels.points], [{x: -1, y: 0}, {eye: at(1)}]);
  outbox.change('a', {}, {up: NOWHERE});
  assert.equal(outbox.labels('a')?.up, null);
  assert.ok(await outbox.flushed());
  assert.deepEqual([server.labels.up, outbox.labels('a')?.up, outbox.changes()], [null, null, 0]);
});

test('which way is up is undone only where nobody has said otherwise since', () => {
  const [before, after] = [{x: 1, y: 0}, {x: 0, y: 1}];
  /** @param {{x: number, y: number}|null} up @returns {PictureLabels} */
  const said = (up) => ({...absent('a'), version: 1, gone: false, up});
  const first = saidOf(said(null), {up: before});
  assert.deepEqual(first, {before: {up: NOWHERE}, after: {up: before}});
  assert.deepEqual(unsaid(said(before), {from: {up: before}, to: {up: NOWHERE}}), {up: NOWHERE});
  assert.deepEqual(unsaid(said(after), {from: {up: before}, to: {up: NOWHERE}}), {});
  assert.deepEqual(unsaid(said(null), {from: {up: NOWHERE}, to: {up: before}}), {up: before});
});

test('a note that was written though its answer was lost is no conflict', async () => {
  const {server, outbox} = await begun();
  outbox.on('conflict', () => assert.fail('there is none'));
  const lost = server.patch.bind(server);
  server.patch = async (path, change) => {
    await lost(path, change);
    server.patch = lost;
    throw new ApiError(0, 'The server does not answer.');
  };
  outbox.change('a', {}, {note: 'to', tags: ['a']});
  await turn();
  clearTimeout(outbox.timer);
  outbox.change('a', {}, {note: 'torn', tags: ['a', 'b']});
  await turn();
  assert.equal(outbox.changes(), 0);
  assert.deepEqual([server.labels.note, server.labels.tags], ['torn', ['a', 'b']]);
});

test('a suggestion that was accepted, and the same point set by hand, are not the same label', () => {
  const accepted = {state: /** @type {const} */ ('visible'), x: 1, y: 0, accepted: true};
  assert.ok(!same(at(1), accepted) && same(accepted, {...accepted}) && same(at(1), {...accepted, accepted: false}));
});

test('labels are the same within a thousandth of a pixel', () => {
  assert.ok(same(at(1), at(1.0004)) && same(null, undefined));
  assert.ok(!same(at(1), at(1.01)) && !same(at(1), null) && !same(at(1), {state: 'hidden', x: 1, y: 0}));
});

test('undo goes back and redo forth; what is merged goes as one', () => {
  const undo = new Undo('labels.json');
  undo.record({id: 'a', what: 'eye', before: {eye: null}, after: {eye: at(1)}});
  undo.record({id: 'a', what: 'eye', before: {eye: at(1)}, after: {eye: at(2)}}, 'nudge eye');
  undo.record({id: 'a', what: 'eye', before: {eye: at(2)}, after: {eye: at(3)}}, 'nudge eye');
  assert.deepEqual(undo.step(false), {id: 'a', what: 'eye', from: {eye: at(3)}, to: {eye: at(1)}});
  assert.deepEqual(new Undo('labels.json').step(true), {id: 'a', what: 'eye', from: {eye: at(1)}, to: {eye: at(3)}});
});

/** A server with a picture of several specimens. */
class Crowd extends Server {
  /** @type {Map<string, PictureLabels>} */
  specimens = new Map([['a.1', {...absent('a.1'), gone: false, version: 3, points: {eye: at(1)}, track: 'Anna'}]]);
  async get() {
    return {...await super.get(), specimens: structuredClone([...this.specimens.values()])};
  }
  /** @param {string} path @param {LabelsChange} change */
  async patch(path, change) {
    const key = path.split('/')[2];
    if (!key.includes('.')) return super.patch(path, change);
    this.sent.push(structuredClone(change));
    await this.wait;
    if (this.fails) throw this.fails;
    const now = this.specimens.get(key) ?? {...absent(key), version: 0};
    if (change.base !== now.version) {
      throw new ApiError(409, 'changed since', {error: '', labels: now, landmarks: null, dropped: null, theirs: null});
    }
    return structuredClone(this.put(key, change.remove ? null : {...now.points, ...change.points}, change.track));
  }
  /** Somebody's change; null takes the specimen out. @param {string} key @param {LabelsChange['points']|null} points
   *  @param {string|null} [track] */
  put(key, points, track) {
    const now = this.specimens.get(key) ?? absent(key);
    const version = now.version + 1;
    if (!points) {
      this.specimens.delete(key);
      return {...absent(key), version};
    }
    const kept = Object.entries(points).flatMap(([k, p]) => p ? [[k, p]] : []);
    const labels = {...now, gone: false, version, points: Object.fromEntries(kept), track: track ?? now.track};
    this.specimens.set(key, labels);
    return labels;
  }
}

async function crowded() {
  const server = new Crowd();
  const outbox = new Outbox(/** @type {Api} */ (/** @type {unknown} */ (server)), 'labels.json');
  outbox.several = true;
  /** @type {Conflict[]} */
  const conflicts = [];
  outbox.on('conflict', (conflict) => conflicts.push(conflict));
  await outbox.start();
  await outbox.load('a');
  return {server, outbox, conflicts};
}

test('a specimen is made, taken out and put back, each by its key', async () => {
  const {server, outbox} = await crowded();
  outbox.change('a.9', {eye: at(5)}, {gone: false});
  assert.deepEqual(outbox.specimens('a').map(({id}) => id), ['a.1', 'a.9']);
  assert.ok(await outbox.flushed());
  assert.deepEqual(server.specimens.get('a.9')?.points, {eye: at(5)});
  outbox.change('a.1', {}, {gone: true});
  assert.deepEqual(outbox.specimens('a').map(({id}) => id), ['a.9']);
  outbox.change('a.1', {eye: at(1)}, {gone: false, track: 'Anna'}); // before the server has answered
  assert.ok(await outbox.flushed());
  const {points, track} = server.specimens.get('a.1') ?? absent('');
  assert.deepEqual([points, track, outbox.changes()], [{eye: at(1)}, 'Anna', 0]);
  assert.deepEqual(outbox.specimens('a').map(({id}) => id), ['a.1', 'a.9']);
});

test('one that was made and taken out before anything was sent is never sent', async () => {
  const {server, outbox} = await crowded();
  server.connection = 'lost';
  server.fails = new ApiError(0, 'gone');
  outbox.change('a.9', {eye: at(5)}, {gone: false});
  await turn();
  server.sent = [];
  outbox.change('a.9', {eye: null}, {gone: true});
  assert.equal(outbox.changes(), 0);
  await turn();
  assert.deepEqual(server.sent, []);
});

test('a specimen made while the server is away is sent after a reload', async () => {
  const {server, outbox} = await crowded();
  server.fails = new ApiError(0, 'gone');
  outbox.change('a.9', {eye: at(5)}, {gone: false});
  await turn();
  server.fails = null;
  const next = new Outbox(/** @type {Api} */ (/** @type {unknown} */ (server)), 'labels.json');
  next.several = true;
  await next.start();
  assert.ok(await next.flushed());
  assert.deepEqual(server.specimens.get('a.9')?.points, {eye: at(5)});
});

test('what was changed before a picture could show several goes to its first specimen, or makes one', async () => {
  for (const there of [true, false]) {
    const server = new Crowd();
    if (!there) server.specimens.clear();
    const outbox = new Outbox(/** @type {Api} */ (/** @type {unknown} */ (server)), `labels of ${there}.json`);
    await outbox.start();
    server.labels.points = there ? {eye: at(1)} : {};
    await outbox.load('a');
    server.fails = new ApiError(0, 'gone');
    outbox.change('a', {tip: at(4)}, {note: 'dark'});
    await turn();
    server.labels.points = {};
    server.fails = null;
    outbox.several = true;
    outbox.forget();
    outbox.retry();
    for (let n = 0; n < 99 && outbox.changes(); n++) await turn();
    const points = [...server.specimens.values()].map((labels) => labels.points);
    assert.deepEqual(points, [there ? {eye: at(1), tip: at(4)} : {tip: at(4)}]);
    assert.equal(server.labels.note, 'dark');
    assert.deepEqual(outbox.specimens('a').map((labels) => labels.points), points);
  }
});

test('what was changed of a specimen waits while each picture shows one', async () => {
  const {server, outbox, conflicts} = await crowded();
  const specimens = server.specimens;
  server.fails = new ApiError(400, 'Each picture shows one now.');
  server.specimens = new Map();
  outbox.several = false;
  outbox.change('a.1', {tip: at(4)});
  await turn();
  outbox.forget();
  await outbox.load('a');
  assert.deepEqual([outbox.status().state, conflicts], ['unsaved', []]);
  server.fails = null;
  server.specimens = specimens;
  outbox.several = true;
  outbox.retry();
  await turn();
  assert.deepEqual([server.specimens.get('a.1')?.points, outbox.changes()], [{eye: at(1), tip: at(4)}, 0]);
});

test('what was changed here and taken out elsewhere can be put back', async () => {
  const {server, outbox, conflicts} = await crowded();
  server.put('a.1', null);
  outbox.change('a.1', {tip: at(4)});
  assert.ok(await outbox.flushed());
  assert.deepEqual(outbox.specimens('a'), []);
  assert.deepEqual(conflicts, [{id: 'a.1', points: [],
    gone: {mine: false, points: {eye: at(1), tip: at(4)}, track: 'Anna'}}]);
});

test('what was taken out here and changed elsewhere stays', async () => {
  const {server, outbox, conflicts} = await crowded();
  server.put('a.1', {eye: at(2)});
  outbox.change('a.1', {}, {gone: true});
  assert.ok(await outbox.flushed());
  assert.deepEqual(outbox.specimens('a').map(({points}) => points), [{eye: at(2)}]);
  assert.deepEqual(conflicts.map(({id, gone}) => [id, gone?.mine]), [['a.1', true]]);
  server.put('a.1', {eye: at(2)}, 'Bert'); // called so by another
  outbox.change('a.1', {}, {gone: true});
  assert.ok(await outbox.flushed());
  assert.deepEqual(outbox.specimens('a').map(({track}) => track), ['Bert']);
  outbox.change('a.1', {}, {track: 'Carl'});
  outbox.change('a.1', {}, {gone: true}); // nobody else has changed it
  assert.ok(await outbox.flushed());
  assert.deepEqual([outbox.specimens('a'), conflicts.length], [[], 2]);
});

test('a specimen that another makes is heard of', async () => {
  const {server, outbox} = await crowded();
  outbox.receive(server.put('a.5', {eye: at(8)}));
  assert.deepEqual(outbox.specimens('a').map(({id}) => id), ['a.1', 'a.5']);
  outbox.receive(server.put('a.5', null));
  assert.deepEqual(outbox.specimens('a').map(({id}) => id), ['a.1']);
});

test('several changes in one step go back together', () => {
  const undo = new Undo('labels.json');
  const made = {before: {gone: true}, after: {gone: false}};
  undo.record({id: 'a.1', what: 'two', before: {eye: null}, after: {eye: at(1)}, said: made,
    more: [{id: 'a.2', before: {eye: null}, after: {eye: at(2)}, said: made}]});
  const step = undo.step(false);
  assert.deepEqual([step?.to, step?.said?.to, step?.more?.map(({id, to}) => [id, to])], [{eye: null}, {gone: true}, [[
    'a.2',
    {eye: null},
  ]]]);
  assert.equal(undo.step(false), null);
  assert.deepEqual(undo.step(true)?.more?.map(({to}) => to), [{eye: at(2)}]);
});

test('of very many changes a few are on their way at once, and all arrive', async () => {
  const {server, outbox} = await crowded();
  let answer = () => {};
  server.wait = new Promise((resolve) => answer = () => resolve(undefined));
  outbox.changeAll(
    Array.from({length: 40}, (_, i) => ({id: `a.${100 + i}`, points: {eye: at(i)}, marks: {gone: false}})),
  );
  await turn();
  assert.ok(server.sent.length < 10);
  answer();
  assert.ok(await outbox.flushed());
  assert.equal(server.specimens.size, 41);
  assert.equal(outbox.specimens('a').length, 41);
});
