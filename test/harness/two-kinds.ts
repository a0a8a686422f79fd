/**
 * An installation that serves both kinds, of real processes: the stand-ins of `up --sandbox` for Exercises, and a second sandbox on
 * other ports, which is live as far as anybody can tell: configured as live senders are, and with a ledger of its own.
 */
import { fork } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { startInstallation, type Installation, type InstallationInput } from '../../cli/installation.ts';
import { openDatabase, type Database } from '../../db/database.ts';
import type { WarningKind } from '../../domain/kinds.ts';
import { workerSign } from '../../domain/watchdog.ts';
import { CHANNELS, resolveRules, type Channel, type RulePack } from '../../domain/rules.ts';
import { publishWarning } from '../../operations/publish.ts';
import { readRulePack } from '../../operations/rule-packs.ts';
import { InstanceBusy } from '../../runtime/errors.ts';
import { freePort } from '../../runtime/processes.ts';
import { readLedger, type LedgerMessage, type LedgerSummary } from '../../sandbox/ledger.ts';
import { startSandbox, type Sandbox } from '../../sandbox/sandbox.ts';
import { content, openOffice, publishByTwo } from './office.ts';
import { plantSmallTree, type SmallTree } from './small-tree.ts';

const ENTRY = fileURLToPath(new URL('../../cli/fenghuo.mjs', import.meta.url));

const RUNS_AT_ONCE_MAX = 9;

/** Everybody at the live far side notices everything and answers at once: nothing tells these people of a drill's speed. */
const AWAKE = {
  neverAnswersShare: 0,
  cannotActShare: 0,
  householdAnswersShare: 1,
  medianDelayMinutes: 0.005,
  delaySigma: 0,
  wokenShare: { sms: 1, voice: 1, email: 1 },
} as const;

export type KindsSite = {
  database: Database;
  tree: SmallTree;
  installation: Installation;
  live: Sandbox;
  /** The environment that processes of this kind have. */
  environment(kind: WarningKind): Record<string, string>;
  /** Issues one by the way that its kind has: an actual one by two persons. */
  publish(kind: WarningKind): Promise<number>;
  ledger(side: WarningKind): Promise<LedgerSummary>;
  messages(side: WarningKind): Promise<LedgerMessage[]>;
  client(kind: WarningKind): Promise<Client>;
  /** Runs a command of ours to its end; null where it served instead, and was stopped. */
  run(args: string[], env: Record<string, string>): Promise<{ code: number | null; said: string }>;
  stop(): Promise<void>;
};

/** Starts it with a small tree of people who are not made up, and have reserved numbers. */
export async function startKindsSite(name: string): Promise<KindsSite> {
  const directory = await mkdtemp(join(tmpdir(), `fenghuo-${name}-`));
  const liveLedger = join(directory, 'live');
  const webPort = await freePort();
  const publicUrl = `http://127.0.0.1:${webPort}`;
  const secrets = {
    voice: secretOf('voice'),
    loudspeaker: secretOf('loudspeaker'),
    robot: secretOf('robot'),
  };
  const twilio = { accountSid: `AC${'7'.repeat(32)}`, authToken: secretOf('twilio') };
  const live = await startSandbox({
    directory: liveLedger,
    repliesUrl: `${publicUrl}/gateway/replies`,
    secret: secretOf('gateway'),
    seed: name,
    keepTexts: true,
    model: AWAKE,
    twilio: { ...twilio, inboundUrl: `${publicUrl}/twilio/inbound#rc=4&rp=ct,rt,5xx`, port: 0 },
    http: { port: 0, secrets: { ...secrets, ntfyToken: secretOf('ntfy') } },
    log: () => undefined,
  });
  const standIns = live.httpUrl ?? '';
  const installation = await startFree({
    purpose: name,
    schema: `kinds_${process.pid}_${Date.now().toString(36)}`,
    sandbox: true,
    log: () => undefined,
    env: process.env,
    live: {
      FENGHUO_PUBLIC_URL: publicUrl,
      FENGHUO_WEB_PORT: String(webPort),
      FENGHUO_SMTP_URL: live.smtpUrl,
      FENGHUO_GATEWAY_URL: live.gatewayUrl,
      FENGHUO_GATEWAY_SECRET: secretOf('gateway'),
      FENGHUO_VOICE_GATEWAY_URL: standIns,
      FENGHUO_VOICE_GATEWAY_SECRET: secrets.voice,
      FENGHUO_LOUDSPEAKER_URL: standIns,
      FENGHUO_LOUDSPEAKER_SECRET: secrets.loudspeaker,
      FENGHUO_CHAT_ROBOT_URL: `${standIns}/robot/send?access_token=live`,
      FENGHUO_CHAT_ROBOT_SECRET: secrets.robot,
      FENGHUO_NTFY_URL: standIns,
      FENGHUO_NTFY_TOKEN: secretOf('ntfy'),
      FENGHUO_TWILIO_API_URL: live.twilio?.url ?? '',
      FENGHUO_TWILIO_ACCOUNT_SID: twilio.accountSid,
      FENGHUO_TWILIO_AUTH_TOKEN: twilio.authToken,
      FENGHUO_TWILIO_FROM: '+15005550006',
    },
  }).catch(async (error: unknown) => {
    await live.stop();
    throw error;
  });
  const { DATABASE_URL: url = '', FENGHUO_SCHEMA: schema = '' } = installation.environment;
  const database = openDatabase({ url, schema, asOwner: true });
  const tree = await plantSmallTree(database);
  await giveEveryChannel(database);
  // One answers by each way that there is: a reply to either sender, a link, a key to either.
  for (const [unit, channel] of ONLY_BY) await keepOnly(database, tree.person(unit), channel);
  const ledgers: Record<WarningKind, string> = { exercise: installation.ledgerDirectory, actual: liveLedger };
  const environments: Record<WarningKind, Record<string, string>> = {
    exercise: { ...(process.env as Record<string, string>), ...installation.environment },
    actual: installation.actual?.environment ?? {},
  };
  const pack = await everyChannelFirst();
  const office = await openOffice(database);
  // Real workers serve here: nobody stands in for them.
  for (const table of ['serving', 'liveness'])
    await database.query(`delete from ${table} where name = $1`, [workerSign('actual', 'of the office')]);
  const author = (await office.hire('值班员甲', 'author')).operator;
  const releaser = (await office.hire('带班领导乙', 'releaser')).operator;
  const clients: Client[] = [];
  return {
    database,
    tree,
    installation,
    live,
    environment: (kind) => environments[kind],
    publish: async (kind) => {
      const areaIds = [tree.unit('城')];
      const draft = content(areaIds, { rulePack: { id: pack.id, version: pack.version } });
      if (kind === 'actual') {
        await keepPack(database, pack);
        return publishByTwo(database, { author, releaser }, draft);
      }
      const { hazard, level, textZh, textEn, issuer } = draft;
      const said = { kind, hazard, level, textZh, textEn, issuer, areaIds, speed: 1 };
      return database.transaction((sql) =>
        publishWarning(sql, pack, { ...said, lastsMs: 3_600_000, rules: resolveRules(pack, level) }),
      );
    },
    ledger: (side) => readLedger(ledgers[side]),
    messages: (side) => messagesIn(ledgers[side]),
    client: async (kind) => {
      const { temporal } = installation.services;
      const connection = await Connection.connect(temporal.connection);
      const namespace = kind === 'actual' ? `${temporal.namespace}-actual` : temporal.namespace;
      const client = new Client({ connection, namespace });
      clients.push(client);
      return client;
    },
    run: runToEnd,
    async stop() {
      for (const client of clients) await client.connection.close();
      await installation.stop();
      await live.stop();
      await database.query(`drop schema if exists ${schema} cascade`);
      await database.close();
      await rm(directory, { recursive: true, force: true });
      await rm(installation.ledgerDirectory, { recursive: true, force: true });
    },
  };
}

/** Several runs in one clone at once each take an instance of their own. */
async function startFree(input: InstallationInput, run = 1): Promise<Installation> {
  try {
    const purpose = run === 1 ? input.purpose : `${input.purpose}-${run}`;
    return await startInstallation({ ...input, purpose });
  } catch (error) {
    if (error instanceof InstanceBusy && run < RUNS_AT_ONCE_MAX) return startFree(input, run + 1);
    throw error;
  }
}

const secretOf = (whose: string) => `a live secret of the tests: ${whose}`;

/** The default rules, but the first message goes by all channels at once. */
async function everyChannelFirst(): Promise<RulePack> {
  const pack = await readRulePack();
  const { red } = pack.levels;
  const [first, ...others] = red.ladder;
  if (!first) throw new RangeError('the default rules have a first rung');
  const ladder = [{ ...first, by: [...CHANNELS] }, ...others];
  return { ...pack, id: 'every-channel', levels: { ...pack.levels, red: { ...red, ladder } } };
}

async function keepPack(database: Database, pack: RulePack): Promise<void> {
  await database.query(
    'insert into rule_packs (id, version, body) values ($1, $2, $3) on conflict do nothing',
    [pack.id, pack.version, JSON.stringify(pack)],
  );
}

/** Nobody is made up any more; every second person has a number that Twilio may serve, the others one of the mainland. */
async function giveEveryChannel(database: Database): Promise<void> {
  await database.query('update people set synthetic = false');
  await database.query('update households set synthetic = false');
  await database.query(
    `update person_channels set address = '+1202555' || lpad((100 + person_id)::text, 4, '0')
     where channel = 'sms' and person_id in (select person_id from posts where rank = 0 and unit_id % 2 = 0)`,
  );
  for (const [channel, address] of [
    ['voice', 'address'],
    ['chat', 'address'],
    ['loudspeaker', `'device-' || person_id`],
    ['push', `'topic-' || person_id`],
  ])
    await database.query(
      `insert into person_channels (person_id, channel, address)
       select person_id, $1, ${address} from person_channels where channel = 'sms'`,
      [channel],
    );
}

const ONLY_BY = [
  ['乡一', 'sms'],
  ['乡二', 'sms'],
  ['村二', 'email'],
  ['村一', 'voice'],
  ['组一', 'voice'],
] as const;

/** Of what can be answered by, leaves the person one. */
async function keepOnly(database: Database, personId: number, channel: Channel): Promise<void> {
  await database.query(
    `delete from person_channels where person_id = $1 and channel in ('sms', 'voice', 'email') and channel <> $2`,
    [personId, channel],
  );
}

async function messagesIn(directory: string): Promise<LedgerMessage[]> {
  const text = await readFile(join(directory, 'messages.jsonl'), 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as LedgerMessage);
}

/** A process that serves says so by its channel; told to, it stops. */
function runToEnd(
  args: string[],
  env: Record<string, string>,
): Promise<{ code: number | null; said: string }> {
  return new Promise((resolve) => {
    const child = fork(ENTRY, args, { env, execArgv: [], stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    let said = '';
    let served = false;
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (part: Buffer) => (said += part.toString()));
    child.on('message', () => {
      served = true;
      child.kill('SIGTERM');
    });
    child.once('exit', (code) => resolve({ code: served ? null : code, said }));
  });
}
