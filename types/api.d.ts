// What the server answers at which address, read off its own description.

import type {FolderChange, paths, PictureLabels, Landmarks, ModelStatus, Training} from './messages';

/** An address with every `{name}` filled in. */
type Filled<Path extends string> = Path extends `${infer Before}{${string}}${infer After}`
  ? `${Before}${string}${Filled<After>}`
  : Path;

/** The description's address that an address stands for. */
type Described<Path extends string> = {
  [Known in keyof paths]: `/api${Path}` extends Filled<Known> ? (Filled<Known> extends `/api${Path}` ? Known : never) : never;
}[keyof paths];

type Operation<Method extends string, Path extends string> = paths[Described<Path>] extends Record<Method, infer Found>
  ? Found
  : never;

/** What comes back. */
export type Answer<Method extends string, Path extends string> = Operation<Method, Path> extends {
  responses: {200: {content: {'application/json': infer Body}}};
} ? Body : never;

/** What is sent. */
export type Sent<Method extends string, Path extends string> = Operation<Method, Path> extends {
  requestBody: {content: {'application/json': infer Body}};
} ? Body : never;

export type Query = Record<string, string | number | boolean | string[] | null | undefined>;

export type Options = {keepalive?: boolean; timeout?: number};

/** What the server tells of by itself, and what is said with it; and what is told of the connection. */
export type Told = {
  labels: PictureLabels;
  landmarks: Landmarks;
  model: ModelStatus;
  training: Training;
  problem: {problem: string | null; foreign?: boolean};
  restored: unknown;
  folder: FolderChange;
  connection: null;
  opened: null;
  back: null;
};
