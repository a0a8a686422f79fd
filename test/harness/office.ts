/** An office with people of authority, for tests of actual warnings: an administrator, and whoever is granted something. */
import type { Database } from '../../db/database.ts';
import { sayServing } from '../../db/kinds.ts';
import type { Operator, Role } from '../../domain/authority.ts';
import { workerSign } from '../../domain/watchdog.ts';
import {
  approveDraft,
  createDraft,
  draftName,
  publishDraft,
  type DraftContent,
} from '../../operations/drafts.ts';
import { addFirstOperator, addOperator, authenticate, grantRole } from '../../operations/operators.ts';
import { readRulePack } from '../../operations/rule-packs.ts';

const pack = await readRulePack();

export type Colleague = { operator: Operator; token: string };

export type Office = {
  administrator: Colleague;
  /** Adds somebody with one role everywhere below `area`, up to `highestLevel`. */
  hire(
    name: string,
    role: Role,
    area?: string,
    highestLevel?: string,
    hazards?: string[],
  ): Promise<Colleague>;
  /** The operator as they are now, grants included. */
  again(one: Colleague): Promise<Operator>;
};

/** Opens an office over a tree that is planted; `root` is where people are hired who are hired for everything. */
export async function openOffice(database: Database, root = '城'): Promise<Office> {
  const first = await addFirstOperator(database, '管理员');
  const administrator = await named(database, first.token);
  await serveActual(database);
  return {
    administrator,
    hire: async (name, role, area = root, highestLevel = 'red', hazards = []) => {
      const { token } = await addOperator(database, administrator.operator, { name });
      await grantRole(database, administrator.operator, name, { role, area, highestLevel, hazards });
      return named(database, token);
    },
    again: ({ token }) => authenticate(database, token),
  };
}

/** A worker of actual warnings with a sender that lives for as long as the test: without one nothing is published. */
export async function serveActual(database: Database, senders: string[] = ['smtp']): Promise<void> {
  const name = workerSign('actual', 'of the office');
  await database.query(
    `insert into liveness (name, at) values ($1, clock_timestamp() + interval '1 day')
     on conflict (name) do update set at = excluded.at`,
    [name],
  );
  const said = { namespace: 'default-actual', publicUrl: 'https://warning.example', senders };
  await sayServing(database, { name, kind: 'actual', part: 'worker', ...said });
}

async function named(database: Database, token: string): Promise<Colleague> {
  return { operator: await authenticate(database, token), token };
}

/** What a draft says, unless the test says otherwise. */
export function content(areaIds: number[], other: Partial<DraftContent> = {}): DraftContent {
  return {
    act: 'issue',
    supersedesId: null,
    hazard: '11B03',
    level: 'red',
    areaIds,
    textZh: '未来3小时有100毫米以上强降雨,请立即转移危险区域群众。',
    textEn: 'More than 100 mm of rain within 3 hours: move people out of danger areas now.',
    correctionZh: '此前发布的暴雨红色预警有误,请停止转移。',
    correctionEn: 'The red rainstorm warning was issued in error.',
    // Whole milliseconds, as everywhere.
    expiresAt: Date.now() + 6 * 3_600_000,
    issuer: '城气象台',
    rulePack: { id: pack.id, version: pack.version },
    identifier: null,
    ...other,
  };
}

/** Publishes an actual warning by two persons; gives back its number. */
export async function publishByTwo(
  database: Database,
  people: { author: Operator; releaser: Operator },
  draft: DraftContent,
): Promise<number> {
  const { draftId, hash } = await createDraft(database, people.author, draft);
  await approveDraft(database, people.releaser, draftId, hash);
  return (await publishDraft(database, people.author, draftId, draftName(draftId))).warningId;
}

/** Runs statements past every trigger, to make what no one may make: times long ago, other kinds. Needs the owner's rights. */
export async function pastTriggers(database: Database, text: string, values: unknown[] = []): Promise<void> {
  await database.transaction(async (sql) => {
    await sql.query('set local session_replication_role = replica');
    await sql.query(text, values);
  });
}
