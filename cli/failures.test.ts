import { describe, expect, test } from 'vitest';
import { FenghuoError, type Refusal } from '../domain/errors.ts';
import { InstanceBusy, RuntimeError } from '../runtime/errors.ts';
import { describeFailure, renderFailure } from './failures.ts';

function refused(refusal: Refusal, details: string[] = []): FenghuoError {
  return new FenghuoError({ code: 'some-code', refusal, sentence: 'No. Do this instead.', details });
}

function withFields(error: Error, fields: Record<string, unknown>): Error {
  return Object.assign(error, fields);
}

describe('exit codes', () => {
  test.each<[string, unknown, number, string]>([
    ['a failure', refused('failed'), 1, 'some-code'],
    ['a wrong use', refused('usage'), 2, 'some-code'],
    ['nothing found', refused('notFound'), 3, 'some-code'],
    ['no permission', refused('notPermitted'), 4, 'some-code'],
    ['a conflict', refused('conflict'), 5, 'some-code'],
    ['no database', refused('unreachable'), 6, 'some-code'],
    ['below coverage', refused('belowCoverage'), 7, 'some-code'],
    ['time over', refused('deadlinePassed'), 8, 'some-code'],
    [
      'an instance in use',
      new InstanceBusy({ purpose: 'up', ownerPid: 7, directory: '/x' }),
      5,
      'instance-busy',
    ],
    ['no PostgreSQL here', new RuntimeError('no-postgres', 'None.'), 6, 'no-postgres'],
    ['a setting', new RuntimeError('bad-setting', 'Bad.'), 2, 'bad-setting'],
    ['a refused connection', withFields(new Error('x'), { code: 'ECONNREFUSED' }), 6, 'database-unreachable'],
    [
      'a host without a name',
      withFields(new Error('x'), { code: 'EAI_AGAIN', syscall: 'getaddrinfo' }),
      6,
      'database-unreachable',
    ],
    ['tables that are missing', withFields(new Error('x'), { code: '42P01' }), 1, 'not-migrated'],
    ['a wrong password', withFields(new Error('x'), { code: '28P01' }), 6, 'database-refused'],
    ['a lock that lasts', withFields(new Error('x'), { code: '55P03' }), 5, 'database-busy'],
    ['a port in use', withFields(new Error('x'), { code: 'EADDRINUSE' }), 5, 'port-in-use'],
    ['Temporal away', withFields(new Error('x'), { name: 'TransportError' }), 6, 'temporal-unreachable'],
    ['a defect', new TypeError('x is not a function'), 1, 'defect'],
    ['no error at all', null, 1, 'defect'],
    ['a word', 'thrown', 1, 'defect'],
  ])('%s', (_name, error, exitCode, code) => {
    expect(describeFailure(error, 'en')).toMatchObject({ exitCode, code });
    expect(describeFailure(error, 'zh')).toMatchObject({ exitCode, code });
  });
});

describe('what is written', () => {
  test('the sentence, then its details', () => {
    const failure = describeFailure(refused('usage', ['line 2: bad', 'line 9: worse']), 'en');
    expect(renderFailure(failure, { lang: 'en', output: 'text' })).toBe(
      'No. Do this instead.\n  line 2: bad\n  line 9: worse\n',
    );
  });

  test('of many details the first twenty, and how many more', () => {
    const details = Array.from({ length: 300 }, (_, place) => `line ${place}`);
    const text = renderFailure(describeFailure(refused('usage', details), 'en'), {
      lang: 'en',
      output: 'text',
    });
    expect(text.split('\n')).toHaveLength(1 + 20 + 1 + 1);
    expect(text).toContain('… and 280 more');
  });

  test('in JSON one object with all details, and nothing else', () => {
    const details = Array.from({ length: 300 }, (_, place) => `line ${place}`);
    const text = renderFailure(describeFailure(refused('usage', details), 'zh'), {
      lang: 'zh',
      output: 'json',
    });
    expect(JSON.parse(text)).toEqual({
      error: { code: 'some-code', sentence: 'No. Do this instead.', details },
    });
    expect(text.trim()).not.toContain('\n');
  });

  test('in Chinese the kind of refusal comes first', () => {
    const error = new FenghuoError({
      code: 'unknown-unit',
      refusal: 'notFound',
      sentence: 'There is no unit X.',
    });
    const text = renderFailure(describeFailure(error, 'zh'), { lang: 'zh', output: 'text' });
    expect(text).toBe('没有这个单位。\nThere is no unit X.\n');
  });

  test('a defect is one line with its name and no stack', () => {
    const text = renderFailure(describeFailure(new TypeError('oh\nno'), 'en'), {
      lang: 'en',
      output: 'text',
    });
    expect(text).toContain('TypeError');
    expect(text.trim().split('\n')).toHaveLength(1);
    expect(text).not.toContain('failures.test.ts');
  });
});
