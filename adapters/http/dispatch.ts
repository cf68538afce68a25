// Finds the route of a request by its path and walks its steps, as Express would but without trying one pattern after
// another, which costs more than most verbs. A path's first match decides: a wrong method there is 405.
import type { IncomingMessage } from 'node:http';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { Refusal } from '../../src/errors.ts';
import { problems, sendProblem } from './problem.ts';
import type { Route } from './route.ts';

interface Spot {
  /** Of the path, with null where a parameter stands. */
  segments: (string | null)[];
  names: string[];
  steps: Map<string, RequestHandler[]>;
  routes: Map<string, Route>;
}

export interface Dispatch {
  /** True when it was one of these routes. */
  go(req: Request, res: Response): boolean;
  /** What `go` would walk to, for who wants to know before anything is done. */
  routeOf(req: IncomingMessage): Route | undefined;
}

export function dispatchTo(
  routes: readonly Route[],
  opening: readonly RequestHandler[],
  stepsOf: (route: Route) => RequestHandler[],
): Dispatch {
  const spots = new Map<string, Spot>();
  for (const one of routes) {
    const spot = spots.get(one.path) ?? openSpot(one.path);
    spots.set(one.path, spot);
    spot.routes.set(one.method.toUpperCase(), one);
    spot.steps.set(one.method.toUpperCase(), [...opening, decodeParams, ...stepsOf(one)]);
  }
  for (const spot of spots.values()) finish(spot, opening);
  const fixed = new Map([...spots].filter(([, { names }]) => !names.length));
  const open = new Map<string, Spot[]>();
  for (const spot of spots.values()) if (spot.names.length) listed(open, kindOf(spot.segments)).push(spot);

  const find = (path: string): { spot: Spot; params: Record<string, string> } | null => {
    const plain = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
    const spot = fixed.get(plain);
    if (spot) return { spot, params: {} };
    const segments = plain.split('/');
    for (const one of open.get(kindOf(segments)) ?? []) {
      const params = fits(one, segments);
      if (params) return { spot: one, params };
    }
    return null;
  };
  return {
    go(req, res) {
      const found = find(PATH.exec(req.url)?.[0] ?? req.path);
      if (!found) return false;
      const { steps } = found.spot;
      req.params = found.params;
      walk(
        steps.get(req.method) ?? steps.get(req.method === 'HEAD' ? 'GET' : '') ?? steps.get('') ?? [],
        req,
        res,
      );
      return true;
    },
    routeOf: ({ url = '', method = '' }) => find(PATH.exec(url)?.[0] ?? '')?.spot.routes.get(method),
  };
}

const PATH = /^\/[^?#]*/;

function openSpot(path: string): Spot {
  const names: string[] = [];
  const segments = path.split('/').map((segment) => {
    const name = /^\{(\w+)\}$/.exec(segment)?.[1];
    if (name === undefined) return segment;
    names.push(name);
    return null;
  });
  return { segments, names, steps: new Map(), routes: new Map() };
}

/** By which few are to be looked at: how long the path is, and its room (`/api/v1/tickets`). */
const kindOf = (segments: readonly (string | null)[]): string => `${segments.length} ${segments[3] ?? ''}`;

const listed = <T>(lists: Map<string, T[]>, key: string): T[] => {
  const list = lists.get(key) ?? [];
  lists.set(key, list);
  return list;
};

function fits({ segments, names }: Spot, given: readonly string[]): Record<string, string> | null {
  const params: Record<string, string> = {};
  let at = 0;
  for (const [place, segment] of segments.entries()) {
    const there = given[place];
    if (segment !== null) {
      if (segment !== there) return null;
    } else if (there) params[names[at++] as string] = there;
    else return null;
  }
  return params;
}

/** What is answered to other methods. */
function finish({ steps }: Spot, opening: readonly RequestHandler[]): void {
  const methods = [...steps.keys()];
  const allowed = [...methods, ...(methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS'].join(', ');
  const refuse: RequestHandler = (req, res) => {
    res.set('Allow', allowed);
    if (req.method === 'OPTIONS') return void res.status(204).end();
    sendProblem(res, new Refusal('invalid', 'route.method', `${req.method} is not possible here.`), 405);
  };
  steps.set('', [...opening, refuse]);
}

const decodeParams: RequestHandler = ({ params, method }, _res, next) => {
  for (const name in params) {
    const given = String(params[name]);
    if (!given.includes('%')) continue;
    try {
      params[name] = decodeURIComponent(given);
    } catch {
      throw new Refusal('invalid', 'request.malformed', `The request is malformed (${method}).`);
    }
  }
  next();
};

/** Errors, thrown or handed on, end in one place. */
function walk(steps: readonly RequestHandler[], req: Request, res: Response): void {
  let at = 0;
  const next: NextFunction = (error?: unknown) => {
    if (error) return void problems(error, req, res, next);
    try {
      const done: unknown = steps[at++]?.(req, res, next);
      if (done instanceof Promise)
        done.catch((thrown) => next(thrown ?? new Error('failed without saying why')));
    } catch (thrown) {
      next(thrown);
    }
  };
  next();
}
