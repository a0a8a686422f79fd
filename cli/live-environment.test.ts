/** Live senders stand in a file of their own, and reach nobody but whoever serves actual warnings. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  accountFor,
  environmentFor,
  environmentOfActual,
  environmentOfExercises,
  readLiveFile,
} from './live-environment.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'fenghuo-live-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function fileWith(text: string, mode = 0o600): { FENGHUO_LIVE_ENV_FILE: string } {
  const file = join(folder, `${Math.random()}.env`);
  writeFileSync(file, text);
  chmodSync(file, mode);
  return { FENGHUO_LIVE_ENV_FILE: file };
}

const SHARED = { DATABASE_URL: 'postgres://db.example/f', FENGHUO_SECRET: 's'.repeat(32), PATH: '/bin' };
const STAND_INS = {
  ...{
    FENGHUO_CHANNELS: 'sandbox',
    FENGHUO_SMTP_URL: 'smtp://127.0.0.1:1025',
    FENGHUO_NTFY_URL: 'http://127.0.0.1:1',
  },
  ...{ FENGHUO_NTFY_TOKEN_FILE: '/run/ntfy', FENGHUO_PUBLIC_URL: 'http://127.0.0.1:8080' },
};
const LIVE = { FENGHUO_SMTP_URL: 'smtps://mail.example', FENGHUO_PUBLIC_URL: 'https://warn.example' };

describe('the file', () => {
  it('is read line by line, with comments and quotes', () => {
    const env = fileWith(
      ['# live', '', 'FENGHUO_SMTP_URL=smtps://a:b=c@mail.example', `FENGHUO_NTFY_TOKEN='t t'`].join('\n'),
    );
    expect(readLiveFile(env)).toEqual({
      FENGHUO_SMTP_URL: 'smtps://a:b=c@mail.example',
      FENGHUO_NTFY_TOKEN: 't t',
    });
  });

  it('is none where none is named', () => {
    expect(readLiveFile({})).toBeNull();
    expect(readLiveFile({ FENGHUO_LIVE_ENV_FILE: '' })).toBeNull();
  });

  it.each([0o640, 0o604, 0o644, 0o666])('is refused where others may read it: %o', (mode) => {
    expect(() => readLiveFile(fileWith('', mode))).toThrow(/chmod 600/);
  });

  it('is refused where it is not there', () => {
    expect(() => readLiveFile({ FENGHUO_LIVE_ENV_FILE: join(folder, 'none') })).toThrow(/cannot be read/);
  });

  it('is refused with every fault by its line, and no value is shown', () => {
    const env = fileWith(
      [
        ...['DATABASE_URL=postgres://hidden', 'FENGHUO_SECRET=hidden', 'hidden', 'FENGHUO_SMTP_URL=hidden'],
        ...['FENGHUO_SMTP_URL=hidden', 'FENGHUO_CHANNELS=sandbox'],
      ].join('\n'),
    );
    const refused = (() => {
      try {
        return readLiveFile(env);
      } catch (error) {
        return error as { details: string[]; message: string; refusal: string };
      }
    })();
    expect(refused).toMatchObject({ refusal: 'usage', details: { length: 5 } });
    expect(JSON.stringify(refused)).not.toContain('hidden');
  });
});

describe('whoever serves actual warnings', () => {
  it('has what both share, of senders only the live ones, and is live', () => {
    expect(environmentOfActual({ ...SHARED, ...STAND_INS }, LIVE)).toEqual({
      ...SHARED,
      ...LIVE,
      FENGHUO_CHANNELS: 'live',
    });
  });
});

describe('whoever serves Exercises', () => {
  it('has not even the name of the file', () => {
    const env = { ...SHARED, ...STAND_INS, FENGHUO_LIVE_ENV_FILE: '/etc/live.env' };
    expect(environmentOfExercises(env, LIVE)).toEqual({ ...SHARED, ...STAND_INS });
  });

  it('is refused where it is given what is live', () => {
    const both = { ...SHARED, ...STAND_INS, FENGHUO_SMTP_URL: LIVE.FENGHUO_SMTP_URL };
    expect(() => environmentOfExercises(both, LIVE)).toThrow(/given for Exercises too/);
    expect(() => environmentOfExercises({ ...SHARED, FENGHUO_CHANNELS: 'live' }, null)).toThrow(/Take out/);
  });
});

describe('a process that is started by hand', () => {
  const env = () => ({ ...SHARED, ...STAND_INS, ...fileWith('FENGHUO_SMTP_URL=smtps://mail.example') });

  it('reads the file for actual warnings, and for nothing else', () => {
    expect(environmentFor('actual', env())).toMatchObject({
      FENGHUO_CHANNELS: 'live',
      FENGHUO_SMTP_URL: 'smtps://mail.example',
    });
    expect(environmentFor('exercise', env())).toEqual({ ...SHARED, ...STAND_INS });
    expect(environmentFor(undefined, env())).toEqual({ ...SHARED, ...STAND_INS });
  });

  it('is refused where it was meant for one kind and configured for the other', () => {
    expect(() => environmentFor('actual', { ...SHARED, ...STAND_INS })).toThrow(/--kind actual/);
    expect(() => environmentFor('exercise', { ...SHARED, FENGHUO_CHANNELS: 'live' })).toThrow(
      /--kind exercise/,
    );
    expect(environmentFor('actual', { ...SHARED, FENGHUO_CHANNELS: 'live' })).toMatchObject(SHARED);
  });
});

describe('the file of drills', () => {
  const OF_DRILLS = ['FENGHUO_PUBLIC_URL=https://drill.example', 'FENGHUO_WEB_PORT=8082'];
  const named = (...lines: string[]) => {
    const { FENGHUO_LIVE_ENV_FILE: file } = fileWith([...OF_DRILLS, ...lines].join('\n'));
    return { ...SHARED, ...STAND_INS, FENGHUO_DRILL_ENV_FILE: file };
  };

  it('is all that its account has, with a limit of one a second where none is said', () => {
    const environment = accountFor(
      named('FENGHUO_SMTP_URL=smtps://mail.example', 'FENGHUO_SMTP_PER_SECOND=5'),
    );
    expect(environment).toMatchObject({
      ...{ ...SHARED, FENGHUO_CHANNELS: 'drill', FENGHUO_SMTP_URL: 'smtps://mail.example' },
      ...{ FENGHUO_SMTP_PER_SECOND: '5', FENGHUO_GATEWAY_PER_SECOND: '1' },
      FENGHUO_PUBLIC_URL: 'https://drill.example',
    });
    for (const name of ['FENGHUO_NTFY_URL', 'FENGHUO_NTFY_TOKEN_FILE', 'FENGHUO_DRILL_ENV_FILE'])
      expect(environment).not.toHaveProperty(name);
  });

  it('must be there, and say where its answers are taken', () => {
    expect(() => accountFor(SHARED)).toThrow(/FENGHUO_DRILL_ENV_FILE .* is not set/);
    const { FENGHUO_LIVE_ENV_FILE: file } = fileWith('FENGHUO_SMTP_URL=smtps://mail.example');
    expect(() => accountFor({ FENGHUO_DRILL_ENV_FILE: file })).toThrow(/where it is reached/);
    expect(() => accountFor(named('FENGHUO_CHANNELS=live'))).toThrow(/cannot be used/);
    expect(() => accountFor(named('DATABASE_URL=postgres://db.example/f'))).toThrow(/cannot be used/);
  });

  it('is handed on to nobody who serves either kind', () => {
    const env = named();
    for (const kind of [undefined, 'exercise'] as const)
      expect(environmentFor(kind, env)).not.toHaveProperty('FENGHUO_DRILL_ENV_FILE');
    expect(environmentOfExercises(env, null)).not.toHaveProperty('FENGHUO_DRILL_ENV_FILE');
    expect(environmentOfActual(env, {})).not.toHaveProperty('FENGHUO_DRILL_ENV_FILE');
  });
});
