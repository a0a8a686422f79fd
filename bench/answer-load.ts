/**
 * Posts answers at a fixed rate, in a process of its own. An open loop: each post has its time, and its latency counts from that
 * time, whether or not it could be sent then; so a server that stalls does not slow the load that would show it.
 *
 * Plain sockets that keep alive, one post under way on each: the load must not cost what it measures, since both share the
 * machine's cores. (undici took about three times the CPU for the same posts.)
 */
import { connect, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';

/** What a person holds in their hand. */
export type HeldLink = { token: string; number: string };

export type LoadJob = {
  url: string;
  /** Used in this order, from the first again where they are too few. More may be added while the load runs. */
  links: readonly HeldLink[];
  perSecond: number;
  seconds: number;
  /** Open at most. @default 1 000 */
  connectionsMost?: number;
};

export type LoadReport = {
  /** When the first post was due, in milliseconds since 1970. */
  startedAt: number;
  /** From there to the last reply. */
  tookMs: number;
  /** For each post in its order: milliseconds from its time to its whole reply; -1 where none came. */
  latenciesMs: number[];
  /** HTTP status for each post; 0 where none came. */
  statuses: number[];
  /** The place of each post's link among all that were given. */
  linkPlaces: number[];
  connections: number;
};

/** How long the last replies are waited for. */
const REPLIES_WAIT_MS = 30_000;
/** A finer timer would only burn CPU: at 3,400 a second three or four posts are due each time. */
const TICK_MS = 1;

type Post = { index: number; request: string };

type Line = {
  socket: Socket;
  post: Post | null;
  heard: Buffer;
};

/** Runs one job to its end. `links` is the job's own, and may grow meanwhile. */
export async function runLoad(job: LoadJob, links: readonly HeldLink[] = job.links): Promise<LoadReport> {
  const { hostname, port, host } = new URL(job.url);
  const total = Math.round(job.perSecond * job.seconds);
  const latenciesMs = new Array<number>(total).fill(-1);
  const statuses = new Array<number>(total).fill(0);
  const linkPlaces: number[] = [];
  const most = job.connectionsMost ?? 1_000;
  const idle: Line[] = [];
  const lines = new Set<Line>();
  const waiting: Post[] = [];
  let answered = 0;
  let lastReplyAt = 0;
  let finish: () => void = () => undefined;
  const finished = new Promise<void>((resolve) => (finish = resolve));
  const startedAt = Date.now();
  const start = performance.now();

  function reply(post: Post, status: number): void {
    lastReplyAt = performance.now();
    if (status !== 0) latenciesMs[post.index] = lastReplyAt - start - (post.index * 1_000) / job.perSecond;
    statuses[post.index] = status;
    answered += 1;
    if (answered === total) finish();
  }

  function open(): Line {
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    const line: Line = { socket, post: null, heard: Buffer.alloc(0) };
    lines.add(line);
    socket.on('data', (chunk) => hear(line, chunk));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      lines.delete(line);
      const place = idle.indexOf(line);
      if (place >= 0) idle.splice(place, 1);
      if (line.post) reply(line.post, 0);
      line.post = null;
    });
    return line;
  }

  function hear(line: Line, chunk: Buffer): void {
    line.heard = line.heard.length === 0 ? chunk : Buffer.concat([line.heard, chunk]);
    const status = wholeReply(line.heard);
    if (status === null || !line.post) return;
    const { post } = line;
    line.heard = Buffer.alloc(0);
    line.post = null;
    reply(post, status);
    const next = waiting.shift();
    if (next) send(line, next);
    else idle.push(line);
  }

  function send(line: Line, post: Post): void {
    line.post = post;
    line.socket.write(post.request);
  }

  let sent = 0;
  const tick = setInterval(() => {
    const due = Math.min(total, Math.floor(((performance.now() - start) * job.perSecond) / 1_000) + 1);
    for (; sent < due; sent += 1) {
      const place = sent % links.length;
      linkPlaces.push(place);
      const post = { index: sent, request: requestOf(host, links[place]) };
      const line = idle.pop() ?? (lines.size < most ? open() : null);
      if (line) send(line, post);
      else waiting.push(post);
    }
    if (sent === total) clearInterval(tick);
  }, TICK_MS);
  const giveUp = setTimeout(finish, job.seconds * 1_000 + REPLIES_WAIT_MS);
  await finished;
  clearTimeout(giveUp);
  const connections = lines.size;
  for (const line of lines) line.socket.destroy();
  return { startedAt, tookMs: lastReplyAt - start, latenciesMs, statuses, linkPlaces, connections };
}

function requestOf(host: string, link: HeldLink | undefined): string {
  if (!link) throw new RangeError('no link to post to');
  const body = `answer=received&count=&number=${link.number}`;
  return [
    `POST /a/${link.token} HTTP/1.1`,
    `host: ${host}`,
    'user-agent: Mozilla/5.0 (Linux; Android 10) fenghuo-bench',
    'accept: text/html,*/*',
    'content-type: application/x-www-form-urlencoded',
    `content-length: ${body.length}`,
    '',
    body,
  ].join('\r\n');
}

/** The status of a reply that has come whole; null before. Replies carry their length. */
function wholeReply(heard: Buffer): number | null {
  const end = heard.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const head = heard.toString('latin1', 0, end);
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length === undefined) throw new RangeError('a reply without its length');
  return heard.length >= end + 4 + Number(length) ? Number(head.slice(9, 12)) : null;
}

/** What the parent says: the job, and later more links. */
export type LoadMessage = { job: LoadJob } | { more: readonly HeldLink[] };

if (process.send) {
  const links: HeldLink[] = [];
  process.on('message', (message: LoadMessage) => {
    if ('more' in message) links.push(...message.more);
    else {
      links.push(...message.job.links);
      void runLoad(message.job, links).then((report) => process.send?.(report, () => process.disconnect()));
    }
  });
}
