// How elements are made: what `h` of dom.js takes and gives.

type Name<Tag extends string> = Tag extends `${infer First}.${string}` ? First : Tag;

/** The element of a tag with `.class` parts. */
export type Made<Tag extends string> = Name<Tag> extends keyof HTMLElementTagNameMap
  ? HTMLElementTagNameMap[Name<Tag>]
  : HTMLElement;

/** What stands in an element; `null` and `false` are left out. */
export type Child = Node | string | number | null | undefined | false | readonly Child[];

export type Listeners<E> = {
  [K in keyof HTMLElementEventMap as `on${K}`]?: (event: HTMLElementEventMap[K] & {currentTarget: E}) => void;
};

type Attribute = string | number | boolean | null | undefined | Record<string, string>;

export type Props<E = HTMLElement> = Listeners<E> & {
  style?: Record<string, string>;
  dataset?: Record<string, string>;
} & {[name: string]: Attribute | ((event: never) => void)};
