import { describe, expect, test } from 'vitest';
import {
  readConfig,
  SECRETS,
  SENDER_ADDRESSES,
  SENDER_CREDENTIALS,
  VARIABLES,
  VARIABLES_OF_KIND,
} from '../config.ts';
import { drillEnvironment, loginUrl } from './drill-environment.ts';

const NEVER = [...SENDER_ADDRESSES, ...SENDER_CREDENTIALS, ...VARIABLES_OF_KIND, ...VARIABLES, ...SECRETS];

const input = {
  namespace: 'fenghuo',
  secret: 'a secret of the installation, long enough',
  drillId: 7,
  schema: 'fenghuo_drill_7',
  databaseUrl: 'postgres://fenghuo_drill_7:p@127.0.0.1:5432/fenghuo',
  webPort: 20_001,
  standIns: { FENGHUO_SMTP_URL: 'smtp://127.0.0.1:20002' },
};

describe('the environment of a drill', () => {
  test('holds nothing of its parent but what leads to the machine and to Temporal', () => {
    const parent = {
      ...Object.fromEntries(NEVER.map((name) => [name, `the parent's ${name}`])),
      ...Object.fromEntries(NEVER.map((name) => [`${name}_FILE`, '/run/secrets/live'])),
      FENGHUO_TOKEN: 'somebody',
      FENGHUO_LIVE_ENV_FILE: '/etc/fenghuo/live.env',
      AWS_SECRET_ACCESS_KEY: 'of something else',
      PGPASSWORD: 'of the owner',
      NODE_OPTIONS: '--require /tmp/anything',
      PATH: '/usr/bin',
      TEMPORAL_TLS_CLIENT_CERT_PATH: '/etc/temporal.pem',
    };
    const environment = drillEnvironment({ ...input, parent });
    expect(Object.keys(environment).sort()).toEqual(
      [
        ...['DATABASE_URL', 'FENGHUO_CHANNELS', 'FENGHUO_ISSUER', 'FENGHUO_PUBLIC_URL', 'FENGHUO_SCHEMA'],
        ...[
          'FENGHUO_MARKS_KEY',
          'FENGHUO_SECRET',
          'FENGHUO_SMTP_URL',
          'FENGHUO_WEB_PORT',
          'PATH',
          'TEMPORAL_ADDRESS',
        ],
        ...['TEMPORAL_API_KEY', 'TEMPORAL_NAMESPACE', 'TEMPORAL_TLS_CLIENT_CERT_PATH'],
      ].sort(),
    );
    const ours = Object.entries(environment).filter(([, value]) => value.startsWith("the parent's"));
    expect(ours.map(([name]) => name).sort()).toEqual([
      'FENGHUO_ISSUER',
      'TEMPORAL_ADDRESS',
      'TEMPORAL_API_KEY',
    ]);
  });

  test('is a whole configuration, with another secret for each drill and for the installation', () => {
    const config = readConfig(drillEnvironment({ ...input, parent: {} }));
    expect(config).toMatchObject({ FENGHUO_CHANNELS: 'sandbox', TEMPORAL_NAMESPACE: 'fenghuo-drills' });
    const other = drillEnvironment({ ...input, drillId: 8, schema: 'fenghuo_drill_8', parent: {} });
    expect(new Set([config.FENGHUO_SECRET, other['FENGHUO_SECRET'], input.secret]).size).toBe(3);
  });

  test('another login keeps server, database and options', () => {
    expect(
      loginUrl('postgres://owner:secret@db.example:5433/fenghuo?sslmode=require', 'fenghuo_drill_7', 'p'),
    ).toBe('postgres://fenghuo_drill_7:p@db.example:5433/fenghuo?sslmode=require');
    expect(loginUrl('postgresql:///fenghuo?host=/run/postgresql', 'fenghuo_drill_7', 'p')).toBe(
      'postgresql:///fenghuo?host=%2Frun%2Fpostgresql&user=fenghuo_drill_7&password=p',
    );
  });
});
