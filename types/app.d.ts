// What the page tells its views of.

import type {Told as Heard} from './api';
import type {Picture, PictureDetail, State} from './messages';

export type Route = {name: string; id: string | null};

/** The kinds of `app.on`: the server's, and the page's own. `status` is of saving; `back`: everything has to be read anew. */
export type Told = Heard & {
  state: State;
  pictures: Picture[];
  status: null;
  theme: 'dark' | 'light';
  unit: 'px' | 'percent';
  route: Route;
  picture: PictureDetail;
  travelled: {id: string; names: string[]};
};

export type Mounted = {unmount?: () => void; update?: (route: Route) => void};

export type Action = {label: string; run: () => void};

declare global {
  interface Window {
    studio: {
      app: import('../src/lead/studio/static/app.js').App;
      canvas: import('../src/lead/studio/static/canvas.js').PictureCanvas | null;
    };
  }
}
