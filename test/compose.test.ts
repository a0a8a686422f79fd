/**
 * docker-compose.yml without a container engine: it is valid by the compose specification, and every command, variable, file
 * and port in it is known to what it starts. test/two-workers.long.test.ts runs the same parts as processes.
 *
 * test/schemas/compose-spec.json is schema/compose-spec.json of github.com/compose-spec/compose-spec at commit
 * 170098ba07d9f53c383a41bfd4c5166b0a4529a6, unchanged, Apache License 2.0.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv } from 'ajv';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { kindServed, namespaceOf, readConfig, SECRETS, VARIABLES } from '../config.ts';
import { serverVersion } from '../runtime/temporal-server-binary.ts';
import { faultOf, wholeProgram } from './harness/command-lines.ts';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

type Service = {
  image: string;
  build?: string;
  command?: string[];
  entrypoint?: string[];
  ports?: string[];
  healthcheck?: { test: string[] };
  environment?: Record<string, string>;
  secrets?: string[];
  volumes?: string[];
  depends_on?: Record<string, { condition: string }>;
  deploy?: { replicas: number };
  profiles?: string[];
};
type Compose = {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
  secrets: Record<string, { file: string }>;
};

const text = read('docker-compose.yml');
const compose = parse(text, { merge: true }) as Compose;
const services = Object.entries(compose.services);
/** What runs the product's own image. */
const own = services.filter(([, { build }]) => build !== undefined);
/** What serves actual warnings. */
const isLive = (name: string) => name.endsWith('-live');

describe('by the compose specification', () => {
  const schema = JSON.parse(read('test/schemas/compose-spec.json')) as Record<string, unknown>;
  // Draft 7 by an address that ajv does not know it by.
  delete schema['$schema'];
  const ajv = new Ajv({
    strict: false,
    allErrors: true,
    formats: { duration: /^(\d+(\.\d+)?(us|ms|s|m|h))+$/, subnet_ip_address: true },
  });
  const valid = ajv.compile(schema);

  it('is valid', () => {
    expect(valid(compose) ? [] : valid.errors).toEqual([]);
  });

  it.each([
    ['a misspelt key', (bad: Compose) => Object.assign(bad.services['web'] ?? {}, { comand: [] })],
    ['a wrong type', (bad: Compose) => Object.assign(bad.services['web'] ?? {}, { command: 3 })],
    [
      'an unknown condition',
      (bad: Compose) =>
        Object.assign(bad.services['web'] ?? {}, { depends_on: { migrate: { condition: 'ready' } } }),
    ],
  ])('would not be with %s', (_name, spoil) => {
    const bad = structuredClone(compose);
    spoil(bad);
    expect(valid(bad)).toBe(false);
  });
});

describe('what it starts', () => {
  it('is the whole production shape, each image at a version', () => {
    expect(Object.keys(compose.services).sort()).toEqual(
      [
        ...['mailpit', 'migrate', 'postgres', 'prometheus', 'temporal', 'temporal-schema', 'temporal-ui'],
        ...['drill-serve', 'watchdog', 'web', 'web-live', 'worker', 'worker-live'],
      ].sort(),
    );
    for (const name of ['worker', 'worker-live']) expect(compose.services[name]?.deploy?.replicas).toBe(2);
    const images = services.map(([, { image }]) => image);
    expect(images.filter((image) => !/:v?\d+(\.\d+)*$/.test(image))).toEqual([]);
  });

  it('is the Temporal whose source the tests on processes build', () => {
    expect(compose.services['temporal']?.image).toBe(`temporalio/server:${serverVersion}`);
    expect(compose.services['temporal-schema']?.image).toBe(`temporalio/admin-tools:${serverVersion}`);
  });

  it('is known to the command line', async () => {
    const program = await wholeProgram();
    expect(own.map(([name]) => name).sort()).toEqual(
      ['drill-serve', 'migrate', 'watchdog', 'web', 'web-live', 'worker', 'worker-live'].sort(),
    );
    for (const [name, { command = [] }] of own) expect(faultOf(program, command), name).toBeNull();
  });

  it('runs scripts that a shell understands, and no variable of which compose would take for its own', () => {
    const scripts = services.filter(([, { entrypoint }]) => entrypoint?.[0] === '/bin/sh');
    expect(scripts.map(([name]) => name)).toEqual(['temporal-schema', 'temporal']);
    for (const [name, { command = [] }] of scripts) {
      const script = command.join('\n');
      expect(script.replaceAll('$$', ''), name).not.toContain('$');
      const checked = spawnSync('sh', ['-n'], { input: script.replaceAll('$$', '$') });
      expect(checked.status, name).toBe(0);
    }
  });

  it('waits for what it needs, looks after what serves, and depends on nothing that is not there', () => {
    for (const [name, { depends_on: needs = {} }] of services) {
      for (const [needed, { condition }] of Object.entries(needs)) {
        const target = compose.services[needed];
        expect(target, `${name} needs ${needed}`).toBeDefined();
        if (condition === 'service_healthy') expect(target?.healthcheck, needed).toBeDefined();
      }
    }
    for (const name of ['postgres', 'temporal', 'web', 'web-live', 'worker', 'worker-live', 'mailpit'])
      expect(compose.services[name]?.healthcheck, name).toBeDefined();
  });
});

describe('how it is configured', () => {
  const LIVE_MAIL = 'smtps://warning:secret@mail.example:465';
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'fenghuo-compose-'));
    for (const name of Object.keys(compose.secrets))
      writeFileSync(join(folder, name), name === 'live_smtp_url' ? LIVE_MAIL : 'secret '.repeat(6));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** As the container sees it: defaults filled in, secrets where they are mounted. */
  function environmentOf({ environment = {} }: Service): Record<string, string> {
    return Object.fromEntries(
      Object.entries(environment).map(([name, value]) => [
        name,
        value.replace(/\$\{[A-Z_]+:-([^}]*)\}/g, '$1').replace('/run/secrets', folder),
      ]),
    );
  }

  it('has workers of both kinds write anchors where they may, and mails them by the live server alone', () => {
    for (const name of ['worker', 'worker-live']) {
      const { environment = {}, volumes = [] } = compose.services[name] ?? {};
      const folder = volumes.map((volume) => volume.split(':').at(-1)).find((path) => path === '/anchors');
      expect(environment['FENGHUO_ANCHOR_FILE'], name).toBe(`${folder}/anchors.jsonl`);
      expect('FENGHUO_ANCHOR_EMAIL' in environment, name).toBe(name === 'worker-live');
    }
  });

  it('has only variables that the configuration knows, and all that it needs', () => {
    // The last says where a process may keep files; the configuration does not read it.
    const known = [...VARIABLES, ...SECRETS.map((name) => `${name}_FILE`), 'FENGHUO_DATA_DIR'];
    for (const [name, service] of own) {
      const environment = environmentOf(service);
      expect(Object.keys(environment).filter((variable) => !known.includes(variable))).toEqual([]);
      const config = readConfig(environment);
      expect(new URL(config.DATABASE_URL), name).toMatchObject({ hostname: 'postgres', username: 'fenghuo' });
      expect(decodeURIComponent(new URL(config.DATABASE_URL).password)).toBe('secret '.repeat(6).trim());
    }
  });

  it('speaks of hosts that are services', () => {
    for (const [name, service] of own) {
      const config = readConfig(environmentOf(service));
      const hosts = [config.DATABASE_URL, config.FENGHUO_SMTP_URL ?? '', `tcp://${config.TEMPORAL_ADDRESS}`];
      const mail = isLive(name) ? 'mail.example' : 'mailpit';
      expect(hosts.map((url) => new URL(url).hostname)).toEqual(['postgres', mail, 'temporal']);
    }
  });

  it('gives live senders to what serves actual warnings alone, and that starts only where it is asked for', () => {
    const kinds = own.map(([name, service]) => {
      const config = readConfig(environmentOf(service));
      const live = (service.secrets ?? []).filter((secret) => secret.startsWith('live_'));
      expect(live.length > 0, name).toBe(isLive(name));
      expect(service.profiles, name).toEqual(isLive(name) ? ['live'] : undefined);
      expect(kindServed(config), name).toBe(isLive(name) ? 'actual' : 'exercise');
      const { command = [] } = service;
      if (command.includes('--kind')) expect(command.at(-1), name).toBe(kindServed(config));
      return [namespaceOf(config, 'exercise'), namespaceOf(config, 'actual')].join();
    });
    // All mean the same two, and the job that registers them does so for both.
    expect(new Set(kinds)).toEqual(new Set(['fenghuo,fenghuo-actual']));
  });

  it('holds no secret: each comes from a file that git ignores, and is given to whoever reads it', () => {
    for (const [name, { environment = {}, command = [], secrets = [] }] of services) {
      const passwords = Object.keys(environment).filter((variable) =>
        /PASSWORD|PWD|SECRET|KEY/.test(variable),
      );
      expect(
        passwords.filter((variable) => !variable.endsWith('_FILE')),
        name,
      ).toEqual([]);
      const read = JSON.stringify([environment, command]).match(/\/run\/secrets\/\w+/g) ?? [];
      expect([...new Set(read)].sort(), name).toEqual(
        secrets.map((secret) => `/run/secrets/${secret}`).sort(),
      );
    }
    const files = Object.values(compose.secrets).map(({ file }) => file);
    const ignored = spawnSync('git', ['-c', `safe.directory=${ROOT}`, 'check-ignore', ...files], {
      cwd: ROOT,
    });
    expect(ignored.stdout.toString().trim().split('\n')).toEqual(files);
    expect(read('.dockerignore')).toContain('deploy/secrets');
  });

  it('publishes nothing beyond this machine', () => {
    const ports = services.flatMap(([, service]) => service.ports ?? []);
    expect(ports.length).toBeGreaterThan(0);
    expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
  });

  it('mounts files that are there and volumes that are declared', () => {
    const mounted = services.flatMap(([, { volumes = [] }]) =>
      volumes.map((volume) => volume.split(':')[0] ?? ''),
    );
    const lost = mounted.filter((source) =>
      source.startsWith('.') ? !existsSync(join(ROOT, source)) : !(source in compose.volumes),
    );
    expect(lost).toEqual([]);
  });

  it('lets Prometheus ask services on the ports where they answer', () => {
    const { scrape_configs: jobs } = parse(read('deploy/prometheus.yml')) as {
      scrape_configs: {
        dns_sd_configs?: { names: string[]; port: number }[];
        static_configs?: { targets: string[] }[];
      }[];
    };
    const asked = jobs.flatMap(({ dns_sd_configs = [], static_configs = [] }) => [
      ...dns_sd_configs.flatMap(({ names, port }) => names.map((name) => `${name}:${port}`)),
      ...static_configs.flatMap(({ targets }) => targets),
    ]);
    const answering = services.flatMap(([name, { environment = {} }]) => {
      const address = environment['FENGHUO_METRICS_ADDRESS'] ?? environment['PROMETHEUS_ENDPOINT'];
      return address === undefined ? [] : [`${name}:${address.split(':').pop()}`];
    });
    expect(asked.sort()).toEqual(
      ['temporal:8000', 'web-live:9464', 'web:9464', 'worker-live:9464', 'worker:9464'].sort(),
    );
    expect(asked.filter((target) => !answering.includes(target))).toEqual([]);
  });
});

describe('the image', () => {
  const dockerfile = read('Dockerfile');

  it('starts the command line from files that it copies', () => {
    const entry = /^ENTRYPOINT (\[.*\])$/m.exec(dockerfile)?.[1] ?? '[]';
    const file = (JSON.parse(entry) as string[]).find((word) => word.startsWith('/app/')) ?? '';
    expect(existsSync(join(ROOT, file.replace('/app/', '')))).toBe(true);
    const ignored = read('.dockerignore').split('\n');
    for (const folder of ['cli', 'db', 'scenarios', 'workflows', 'worker', 'web'])
      expect(ignored).not.toContain(folder);
  });

  it('does not run as root, and marks its packages as installed as the commands expect', () => {
    expect(dockerfile).toMatch(/^USER node$/m);
    expect(read('cli/ensure-installed.mjs')).toContain("'.fenghuo-lock'");
    expect(dockerfile).toContain('node_modules/.fenghuo-lock');
  });
});
