import parsePhoneNumber from 'libphonenumber-js/max';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Database } from '../db/database.ts';
import { testDatabase } from '../test/database.ts';
import { draws } from './generate-draws.ts';
import { groupName } from './generate-names.ts';
import { SyntheticNumbers } from './generate-numbers.ts';
import { generatePopulation } from './generate-population.ts';
import { importOrganisation } from './organisation-import.ts';
import { importPeople } from './organisation-people.ts';

/** Two districts with 3 townships of 8 villages each: with 8 groups 455 units. */
const TREE = [
  'code,name,parent_code,tier',
  '50,重庆市,,city',
  ...[1, 2].flatMap((district) => [
    `500${district},区${district},50,district`,
    ...[1, 2, 3].flatMap((township) => [
      `500${district}0${township},镇${township},500${district},township`,
      ...[1, 2, 3, 4, 5, 6, 7, 8].map(
        (village) => `500${district}0${township}0${village},村${village},500${district}0${township},village`,
      ),
    ]),
  ]),
].join('\n');

const UNITS = 1 + 2 + 6 + 48;
const GROUPS = 48 * 8;

let database: Database;

beforeAll(async () => {
  database = await testDatabase('generate_population');
});

afterAll(() => database.close());

beforeEach(async () => {
  await database.query('truncate units, people, posts, person_channels, households cascade');
  await importOrganisation({ database, file: TREE });
});

async function idOf(code: string): Promise<number> {
  const [unit] = await database.query<{ id: number }>('select id from units where code = $1', [code]);
  if (!unit) throw new Error(`no unit ${code}`);
  return unit.id;
}

/** Everything the generator makes, without ids, so that two databases can be compared. */
async function population(): Promise<unknown[]> {
  return database.query(
    `select u.code, u.name, p.rank, p.title, h.reference, h.name as holder,
       (select string_agg(c.channel || ' ' || c.address, ',' order by c.channel) from person_channels c
        where c.person_id = h.id) as channels,
       (select string_agg(f.name || ' ' || f.address, ',' order by f.name) from households f where f.unit_id = u.id)
         as households
     from units u left join posts p on p.unit_id = u.id left join people h on h.id = p.person_id
     order by u.code, p.rank`,
  );
}

describe('the generator', () => {
  test('gives every village groups, every unit a principal and deputies, and flags them synthetic', async () => {
    const made = await generatePopulation({ database, seed: 'a' });
    expect(made).toMatchObject({ groups: GROUPS, posts: (UNITS + GROUPS) * 3, households: 0 });
    const ranks = await database.query(
      `select unit_id from posts where held_until is null group by unit_id having array_agg(rank order by rank) <> '{0,1,2}'`,
    );
    expect(ranks).toEqual([]);
    const [flags] = await database.query(
      `select (select count(*) from people where not synthetic) as people,
         (select count(*) from units where synthetic <> (tier = 'group')) as units`,
    );
    expect(flags).toEqual({ people: 0, units: 0 });
    const [eighth] = await database.query(
      `select g.name, g.path = v.path || g.id as path, g.cell_unit_id = v.cell_unit_id as cell
       from units g join units v on v.id = g.parent_id where g.code = '5001010108'`,
    );
    expect(eighth).toEqual({ name: '第八组', path: true, cell: true });
  });

  test('gives everyone an address: about 95 % a telephone, about 80 % e-mail', async () => {
    const { people } = await generatePopulation({ database, seed: 'a' });
    const [count] = await database.query<{ reached: number; sms: number; email: number }>(
      `select count(distinct person_id) as reached, count(*) filter (where channel = 'sms') as sms,
         count(*) filter (where channel = 'email') as email from person_channels`,
    );
    expect(count?.reached).toBe(people);
    expect((count?.sms ?? 0) / people).toBeCloseTo(0.95, 1);
    expect((count?.email ?? 0) / people).toBeCloseTo(0.8, 1);
  });

  test('gives some principals a second post, as deputy of the unit above', async () => {
    const { people, posts } = await generatePopulation({ database, seed: 'a' });
    const doubled = await database.query<{ fits: boolean }>(
      `select count(*) = 2 and min(p.rank) = 0 and max(p.rank) = 2
         and bool_or(exists (select from posts s join units below on below.id = s.unit_id
           where s.person_id = p.person_id and s.rank = 0 and below.parent_id = p.unit_id)) as fits
       from posts p group by p.person_id having count(*) > 1`,
    );
    expect(doubled.length).toBeGreaterThan(0);
    expect(doubled.every(({ fits }) => fits)).toBe(true);
    expect(posts - people).toBe(doubled.length);
  });

  test('uses only numbers that cannot exist and addresses under .example, each once', async () => {
    await generatePopulation({ database, seed: 'a', householdsUnder: 'all', householdsPerGroup: 20 });
    const rows = await database.query<{ address: string }>(
      'select address from person_channels union all select address from households',
    );
    expect(rows.length).toBeGreaterThan(8_000);
    expect(new Set(rows.map(({ address }) => address)).size).toBe(rows.length);
    for (const { address } of rows) {
      if (address.includes('@')) expect(address).toMatch(/^[0-9a-z._-]+@[a-z]+\.example$/);
      else expect(parsePhoneNumber(address, 'CN')?.isValid(), address).toBe(false);
    }
  });

  test('makes the same people again from the same seed, and others from another', async () => {
    await generatePopulation({ database, seed: 'a', householdsUnder: 'all', householdsPerGroup: 5 });
    const first = await population();
    await database.query('truncate units, people, posts, person_channels, households cascade');
    await importOrganisation({ database, file: TREE });
    await generatePopulation({ database, seed: 'a', householdsUnder: 'all', householdsPerGroup: 5 });
    expect(await population()).toEqual(first);
    await database.query('truncate people, posts, person_channels, households cascade');
    await generatePopulation({ database, seed: 'b', householdsUnder: 'all', householdsPerGroup: 5 });
    expect(await population()).not.toEqual(first);
  });

  test('changes nothing when it runs again', async () => {
    const input = { database, seed: 'a', householdsUnder: 'all', householdsPerGroup: 5 } as const;
    await generatePopulation(input);
    const before = await population();
    const nothing = { groups: 0, people: 0, posts: 0, channels: 0, households: 0 };
    expect(await generatePopulation(input)).toEqual(nothing);
    expect(await generatePopulation({ ...input, seed: 'b' })).toEqual(nothing);
    expect(await population()).toEqual(before);
  });

  test('gives a unit the same people alone as with the whole tree', async () => {
    await generatePopulation({ database, seed: 'a' });
    const whole = await database.query<{ reference: string; name: string }>(
      'select reference, name from people',
    );
    await database.query('truncate people, posts, person_channels cascade');
    await generatePopulation({ database, seed: 'a', peopleUnder: [await idOf('50010101')] });
    const part = await database.query<{ reference: string; name: string }>(
      'select reference, name from people',
    );
    const names = new Map(whole.map(({ reference, name }) => [reference, name]));
    expect(part.length).toBeGreaterThan(30);
    for (const { reference, name } of part) expect([undefined, name]).toContain(names.get(reference));
  });

  test('fills only what it is asked to: groups and households of one township, people there and above', async () => {
    const township = await idOf('500101');
    const made = await generatePopulation({
      database,
      seed: 'a',
      villagesUnder: [township],
      peopleUnder: [township],
      householdsUnder: [township],
      householdsPerGroup: 130,
    });
    expect(made).toMatchObject({ groups: 64, posts: (2 + 1 + 8 + 64) * 3 });
    expect(made.households / 64).toBeGreaterThan(120);
    expect(made.households / 64).toBeLessThan(140);
    // More later: the rest is added, what is there stays.
    const before = await population();
    const rest = await generatePopulation({ database, seed: 'a', groupsPerVillage: 9 });
    expect(rest).toMatchObject({ groups: 48 * 9 - 64 });
    const after = new Set((await population()).map((row) => JSON.stringify(row)));
    const gone = before.filter(
      (row) => !after.has(JSON.stringify(row)) && !JSON.stringify(row).includes('"rank":null'),
    );
    expect(gone).toEqual([]);
  });

  test('leaves real people and real groups alone', async () => {
    await importOrganisation({
      database,
      file: 'code,name,parent_code,tier\n5001010199,老院子,50010101,组\n',
    });
    await importPeople({
      database,
      file: 'unit,name,title,rank,email\n500101,陈一,书记,0,chen@example.com\n',
    });
    await generatePopulation({ database, seed: 'a' });
    expect(
      await database.query(`select name from units where parent_id = $1`, [await idOf('50010101')]),
    ).toEqual([{ name: '老院子' }]);
    const holders = await database.query(
      `select h.name from posts p join people h on h.id = p.person_id where p.unit_id = $1`,
      [await idOf('500101')],
    );
    expect(holders).toEqual([{ name: '陈一' }]);
  });

  test('makes groups that become real when an import names them', async () => {
    await generatePopulation({ database, seed: 'a' });
    const file = 'code,name,parent_code,tier\n5001010101,第一组,50010101,组\n';
    expect(await importOrganisation({ database, file })).toMatchObject({ added: 0, changed: 1 });
    expect(await database.query(`select code from units where tier = 'group' and not synthetic`)).toEqual([
      { code: '5001010101' },
    ]);
  });

  test('fills units without a code as well', async () => {
    await importOrganisation({ database, file: 'code,name,parent_code,tier\n,新村,500101,村居\n' });
    await generatePopulation({ database, seed: 'a' });
    const groups = await database.query<{ code: string | null; people: number }>(
      `select g.code, (select count(*) from posts p where p.unit_id = g.id) as people
       from units g join units v on v.id = g.parent_id where v.name = '新村'`,
    );
    expect(groups).toEqual(Array.from({ length: 8 }, () => ({ code: null, people: 3 })));
  });

  test('leaves nothing behind when it is stopped half-way', async () => {
    const stopped = generatePopulation({
      database,
      seed: 'a',
      log: (line) => {
        if (line.includes('people')) throw new Error('stopped');
      },
    });
    await expect(stopped).rejects.toThrow('stopped');
    const [count] = await database.query(
      'select (select count(*) from people) as people, (select count(*) from units) as units',
    );
    expect(count).toEqual({ people: 0, units: UNITS });
    expect(await generatePopulation({ database, seed: 'a' })).toMatchObject({ groups: GROUPS });
  });

  test('is told to try again while somebody else writes people', async () => {
    let told: unknown;
    await database.transaction(async (sql) => {
      await sql.query('lock table people in row exclusive mode');
      told = await generatePopulation({ database, seed: 'a' }).catch((error: unknown) => error);
    });
    expect(told).toMatchObject({ code: 'organisation-busy', refusal: 'conflict' });
  });

  test.each([{ groupsPerVillage: 100 }, { deputiesPerUnit: -1 }, { householdsPerGroup: 1.5 }])(
    'refuses %j',
    async (part) => {
      await expect(generatePopulation({ database, seed: 'a', ...part })).rejects.toThrow('whole number');
    },
  );
});

test('draws depend on seed and key alone, and fill [0, 1) evenly', () => {
  const first = (seed: string, key: string) => draws(seed, key)();
  expect(first('a', '1')).toBe(first('a', '1'));
  expect(first('a', '1')).not.toBe(first('b', '1'));
  const shares = Array.from({ length: 10 }, () => 0);
  for (let key = 0; key < 10_000; key += 1) {
    const tenth = Math.floor(first('a', `5001010${key}`) * 10);
    shares[tenth] = (shares[tenth] ?? 0) + 1;
  }
  for (const share of shares) expect(Math.abs(share - 1_000)).toBeLessThan(150);
});

test('a number that is taken is drawn again, so that none is given twice', () => {
  const numbers = new SyntheticNumbers('a', 'person');
  const first = numbers.next('key');
  const second = numbers.next('key');
  expect(second).not.toBe(first);
  const others = new SyntheticNumbers('a', 'person');
  others.take(first);
  others.take('+8613800138000');
  expect(others.next('key')).toBe(second);
});

test.each([
  [1, '第一组'],
  [10, '第十组'],
  [11, '第十一组'],
  [20, '第二十组'],
  [99, '第九十九组'],
])('group %i is called %s', (number, name) => {
  expect(groupName(number)).toBe(name);
});
