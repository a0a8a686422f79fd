/**
 * Judges CAP messages in a process of its own, whose memory and time can be measured: hostile ones made here, and mutants of the
 * corpus by seed. Prints one JSON object. Whatever touches the network is counted where Node makes it, below all modules.
 *
 *   node --max-old-space-size=96 --import tsx test/harness/cap-judge.ts MUTANTS SEED
 */
import { createHook } from 'node:async_hooks';
import { generateKeyPairSync } from 'node:crypto';
import { lookup } from 'node:dns';
import { closeSync, ftruncateSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readCapFile } from '../../cli/cap-warning.ts';
import { CAP_BYTES_MAX } from '../../domain/cap/decode.ts';
import { readFeed } from '../../domain/cap/feed.ts';
import { isError } from '../../domain/cap/findings.ts';
import { understand } from '../../domain/cap/meaning.ts';
import { parseCap } from '../../domain/cap/parse.ts';
import { checkProfile } from '../../domain/cap/profiles.ts';
import { isSigned, signCap, verifySignature } from '../../domain/cap/signature.ts';
import { message } from '../cap/messages.ts';
import { hostileMessages } from '../cap/hostile-messages.ts';
import { streamOf } from './random.ts';

export type Report = {
  /** Code of the first error of each hostile message, or `taken`. */
  hostile: Record<string, string>;
  mutants: { judged: number; taken: number; refused: number; forgeriesTaken: number };
  longestMs: { ms: number; of: string };
  peakMiB: number;
  /** Sockets, pipes, look-ups of names and child processes that were made while messages were judged. */
  outward: string[];
  /** The same for a connection and a look-up that are made afterwards on purpose: whether it would have shown. */
  shown: string[];
};

type Random = { below: (most: number) => number };

/** What Node makes for whoever wants to reach out of the process; reading a file as a whole is `FSREQ…`. */
const OUTWARD = /^(TCP|UDP|TLS|PIPE|PROCESS|GETADDRINFO|GETNAMEINFO|QUERY|HTTP)/;
let outward: string[] = [];
const guard = createHook({ init: (_id, type) => void (OUTWARD.test(type) && outward.push(type)) }).enable();

const keys = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});
const longestMs = { ms: 0, of: '' };

/**
 * All that happens to a message before it meets the database, by the time of the processor: others use it as well.
 * Gives the code of the first error, or `taken`.
 */
function judge(name: string, bytes: Uint8Array): { verdict: string; signed: string | null } {
  const begun = process.cpuUsage();
  const { alert, findings, text, root } = parseCap(bytes);
  let verdict = findings.find(isError)?.code ?? 'taken';
  let signed: string | null = null;
  if (alert && text !== null && root) {
    for (const profile of ['china', 'google'] as const) checkProfile(profile, alert);
    understand(alert, Date.now());
    if (isSigned(root)) {
      const verified = verifySignature(text, root, keys.publicKey, alert.sender);
      if ('fault' in verified) verdict = verified.fault.code;
      else signed = verified.signed;
    }
  }
  readFeed(bytes);
  const { user, system } = process.cpuUsage(begun);
  const ms = (user + system) / 1_000;
  if (ms > longestMs.ms) Object.assign(longestMs, { ms, of: name });
  return { verdict, signed };
}

const [mutantsWanted = 0, seed = 1] = process.argv.slice(2).map(Number);
const right = signCap(message(), keys.privateKey);
// The first call compiles.
judge('warm-up', Buffer.from(right));
Object.assign(longestMs, { ms: 0, of: '' });

const hostile: Record<string, string> = {};
for (const [name, make] of Object.entries(hostileMessages(keys))) hostile[name] = judge(name, make()).verdict;
hostile['100 MB file'] = judge('100 MB file', await hugeFile()).verdict;

const folder = join(import.meta.dirname, '../cap/wild');
const corpus = [...readdirSync(folder).map((file) => readFileSync(join(folder, file))), Buffer.from(right)];
const stream = streamOf(seed);
const random: Random = { below: (most) => Math.floor(stream() * most) };
const mutants = { judged: 0, taken: 0, refused: 0, forgeriesTaken: 0 };
const trueText = verifiedText(right);
for (let index = 0; index < mutantsWanted; index += 1) {
  // Every fourth is of the signed message: there a mutant that is taken must say what was signed.
  const original = index % 4 === 0 ? corpus.at(-1) : corpus[random.below(corpus.length)];
  const { verdict, signed } = judge(`mutant ${index}`, mutate(original ?? Buffer.alloc(0), random));
  mutants.judged += 1;
  mutants[verdict === 'taken' ? 'taken' : 'refused'] += 1;
  if (signed !== null && signed !== trueText) mutants.forgeriesTaken += 1;
}
const peakMiB = Math.round(process.resourceUsage().maxRSS / 1024);
const whileJudging = outward;
const shown = await reachingOut();
guard.disable();
process.stdout.write(
  `${JSON.stringify({ hostile, mutants, longestMs, peakMiB, outward: whileJudging, shown } satisfies Report)}\n`,
);

/** What the guard sees of one connection and one look-up of a name. */
async function reachingOut(): Promise<string[]> {
  outward = [];
  const socket = connect(9, '127.0.0.1').on('error', () => undefined);
  await new Promise<void>((done) => lookup('localhost', () => done()));
  socket.destroy();
  return outward;
}

function verifiedText(xml: string): string {
  const { signed } = judge('the signed message', Buffer.from(xml));
  if (signed === null) throw new Error('the message that everything is compared with is not accepted');
  return signed;
}

/** Read as the command line reads it: a file of 100 MB takes no 100 MB. */
async function hugeFile(): Promise<Buffer> {
  const directory = mkdtempSync(join(tmpdir(), 'fenghuo-cap-'));
  const file = join(directory, 'huge.xml');
  const handle = openSync(file, 'w');
  ftruncateSync(handle, 100 * 1024 * 1024);
  closeSync(handle);
  try {
    const bytes = await readCapFile(file);
    if (bytes.length > CAP_BYTES_MAX + 1) throw new Error(`${bytes.length} bytes were read`);
    return bytes;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function mutate(original: Buffer, random: Random): Buffer {
  let bytes: Buffer = Buffer.from(original);
  for (let times = 1 + random.below(3); times > 0; times -= 1) bytes = mutateOnce(bytes, random);
  return bytes;
}

function mutateOnce(bytes: Buffer, random: Random): Buffer {
  const place = random.below(Math.max(1, bytes.length));
  switch (random.below(7)) {
    case 0:
      bytes[place] = (bytes[place] ?? 0) ^ (1 << random.below(8));
      return bytes;
    case 1:
      return bytes.subarray(0, place);
    case 2:
      return Buffer.concat([bytes.subarray(0, place), bytes.subarray(place + 1 + random.below(40))]);
    case 3:
      return doubled(bytes, place);
    case 4:
      return Buffer.concat([bytes.subarray(0, place), Buffer.from('&#x0;<![CDATA['), bytes.subarray(place)]);
    case 5: {
      const other = random.below(Math.max(1, bytes.length));
      return Buffer.concat([bytes.subarray(0, place), bytes.subarray(other)]);
    }
    default:
      return Buffer.from(bytes.map((byte, index) => (index === place ? random.below(256) : byte)));
  }
}

/** The element that begins next after `place`, twice. */
function doubled(bytes: Buffer, place: number): Buffer {
  const text = bytes.toString('latin1');
  const match = /<([\w:.-]+)[^>]*>[^<]*<\/\1>/.exec(text.slice(place));
  if (!match) return bytes;
  const end = place + match.index + match[0].length;
  return Buffer.from(text.slice(0, end) + match[0] + text.slice(end), 'latin1');
}
