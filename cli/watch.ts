/** Follows a warning until it is over: a live picture on a terminal, a line for each change elsewhere. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createLogUpdate } from 'log-update';
import { isUnreachable, type Database } from '../db/database.ts';
import { FenghuoError } from '../domain/errors.ts';
import { viewWarning, type WarningView } from '../operations/warnings.ts';
import { hasWorker, processesAlive } from './alive.ts';
import type { Context } from './context.ts';
import { renderChange, renderFrame } from './frame.ts';
import { pauseLine } from './pause.ts';
import { viewShape, warningId as nameOf } from './shapes.ts';
import { clip } from './width.ts';

/**
 * `closed`: the warning has been cancelled or has expired, and its cells are closed. `settled`: or nothing is under way and
 * no deadline lies ahead, so that only an answer or the end can still change anything.
 */
export type WatchUntil = 'settled' | 'closed';

export type WatchInput = {
  database: Database;
  warningId: number;
  context: Pick<Context, 'stdout' | 'stderr' | 'output' | 'lang' | 'colour' | 'say' | 'tell'>;
  until: WatchUntil;
  /** After so long it throws `deadlinePassed`. @default for ever */
  timeoutMs?: number;
  /** Between two looks; a slow database is asked more rarely. @default 1 000 */
  everyMs?: number;
  /** Shows nothing, for callers with data of their own to print. @default false */
  quiet?: boolean;
  /** Ends the watch without an error; the view is the last one. */
  signal?: AbortSignal;
  /** For tests. @default a timer */
  wait?: (ms: number) => Promise<void>;
  /** For tests. @default Date.now */
  now?: () => number;
};

const EVERY_MS = 1_000;
/** A look takes at most this part of the time, so that watching never slows the cascade down. */
const LOAD_SHARE = 4;

/** Shows the warning until `until` holds; gives back how it stood then. An unreachable database is waited for. */
export async function watchWarning(input: WatchInput): Promise<WarningView> {
  const { warningId, context, signal, now = Date.now, everyMs = EVERY_MS } = input;
  const startedAt = now();
  const display = input.quiet === true ? { show: noop, end: noop } : createDisplay(context);
  const wait =
    input.wait ?? ((ms: number) => sleep(ms, undefined, signal ? { signal } : {}).then(noop, noop));
  let view: WarningView | null = null;
  try {
    for (;;) {
      const lookedAt = now();
      const seen = await look(input, view);
      view = seen.view;
      display.show(view, lookedAt, seen.note ?? undefined);
      if (signal?.aborted || (seen.fresh && isOver(view, input.until))) return view;
      const left = input.timeoutMs === undefined ? Infinity : startedAt + input.timeoutMs - now();
      if (left <= 0) throw timedOut(context, warningId);
      await wait(Math.max(0, Math.min(left, Math.max(everyMs, LOAD_SHARE * (now() - lookedAt)))));
    }
  } finally {
    display.end();
  }
}

/** True where there is nothing more to wait for. */
export function isOver(view: WarningView, until: WatchUntil): boolean {
  const { cellsOpen, mail, pagesOpen, nextDeadlines } = view.progress;
  const idle = mail === 0 && pagesOpen === 0;
  const closed = view.warning.status !== 'open' && cellsOpen === 0 && idle;
  return closed || (until === 'settled' && idle && nextDeadlines.length === 0);
}

type Look = { view: WarningView; fresh: boolean; note: string | null };

/** How it stands now. Where the database does not answer, how it stood before; at the first look that is an error. */
async function look({ database, warningId, context }: WatchInput, before: WarningView | null): Promise<Look> {
  try {
    const view = await viewWarning(database, warningId);
    const waiting = view.progress.mail + view.progress.pagesOpen > 0;
    const idle = waiting && !hasWorker(await processesAlive(database));
    const note = view.paused ? pauseLine(view.paused, context) : idle ? context.say('watch.noWorker') : null;
    return { view, fresh: true, note };
  } catch (error) {
    if (before && isUnreachable(error))
      return { view: before, fresh: false, note: context.say('watch.unreachable') };
    throw error;
  }
}

export type Display = { show(view: WarningView, now: number, note?: string): void; end(): void };

/** How a warning is shown as it changes; `head` is a line above the picture on a terminal. */
export function createDisplay(context: WatchInput['context'], head?: () => string): Display {
  if (context.output === 'json') return { show: noop, end: noop };
  if (context.output === 'jsonl') return changeDisplay(context, (view) => JSON.stringify(viewShape(view)));
  if (context.stdout.isTTY === true) return frameDisplay(context, head);
  return changeDisplay(context, (view, now) => renderChange(view, { lang: context.lang, now }));
}

function frameDisplay(context: WatchInput['context'], head?: () => string): Display {
  const { stdout, lang, colour } = context;
  const update = createLogUpdate(stdout as NodeJS.WritableStream);
  return {
    show: (view, now, note) => {
      const columns = stdout.columns ?? 80;
      const above = head ? [clip(head(), columns)] : [];
      const rows = stdout.rows === undefined ? undefined : stdout.rows - above.length;
      const frame = renderFrame(view, {
        columns,
        lang,
        colour,
        now,
        ...(rows === undefined ? {} : { rows }),
        ...(note === undefined ? {} : { note }),
      });
      update([...above, frame].join('\n'));
    },
    end: () => update.done(),
  };
}

/** A line when the figures have changed; a note once, on standard error. */
function changeDisplay(
  context: WatchInput['context'],
  render: (view: WarningView, now: number) => string,
): Display {
  let shown = '';
  let noted: string | undefined;
  return {
    show: (view, now, note) => {
      if (note !== undefined && note !== noted) context.tell(note);
      noted = note;
      const figures = JSON.stringify([view.warning.status, view.tiers, view.settled]);
      if (figures === shown) return;
      shown = figures;
      context.stdout.write(`${render(view, now)}\n`);
    },
    end: noop,
  };
}

function timedOut(context: WatchInput['context'], warningId: number): FenghuoError {
  const id = nameOf(warningId);
  return new FenghuoError({
    code: 'watch-timeout',
    refusal: 'deadlinePassed',
    sentence: context.say('watch.timeout', { id }),
  });
}

function noop(): void {
  // Nothing to show, nothing to end.
}
