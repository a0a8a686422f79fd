/** Commands as several people type them, against a schema of its own with the small tree: who has a token is logged in. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { run, type Ran } from '../../cli/testing.ts';
import type { Database } from '../../db/database.ts';
import { testDatabase } from '../database.ts';
import { plantSmallTree } from './small-tree.ts';

export type Commands<Shape> = {
  /** For files that commands read or write. */
  directory: string;
  /** By the name that `as` is given; who has none here is nobody. */
  tokens: Record<string, string>;
  open: () => Promise<Database>;
  close: () => Promise<void>;
  /** Of whoever is not logged in. */
  environment: () => Record<string, string>;
  as: (name: string | null, ...argv: string[]) => Promise<Ran>;
  /** What a command that succeeds prints as JSON. */
  json: (name: string | null, ...argv: string[]) => Promise<Shape>;
  /** The code of a refusal with the exit code, and its sentence. */
  refused: (name: string | null, ...argv: string[]) => Promise<{ is: string; sentence: string }>;
};

export function commandsIn<Shape>(schema: string): Commands<Shape> {
  const directory = mkdtempSync(join(tmpdir(), 'fenghuo-commands-'));
  const tokens: Record<string, string> = {};
  let database: Database | null = null;
  const environment = () => ({
    DATABASE_URL: process.env['DATABASE_URL'] ?? '',
    FENGHUO_SCHEMA: database?.schema ?? '',
    FENGHUO_SECRET: 'x'.repeat(32),
    FENGHUO_DATA_DIR: directory,
  });
  const as = (name: string | null, ...argv: string[]) =>
    run(argv, { ...environment(), ...(name === null ? {} : { FENGHUO_TOKEN: tokens[name] ?? '' }) });
  return {
    directory,
    tokens,
    environment,
    as,
    open: async () => {
      database = await testDatabase(schema);
      await plantSmallTree(database);
      return database;
    },
    close: async () => {
      await database?.close();
      rmSync(directory, { recursive: true });
    },
    json: async (name, ...argv) => {
      const ran = await as(name, ...argv, '--json');
      expect(ran, ran.stderr).toMatchObject({ code: 0, stderr: '' });
      return JSON.parse(ran.stdout) as Shape;
    },
    refused: async (name, ...argv) => {
      const ran = await as(name, ...argv, '--json');
      expect(ran.stdout).toBe('');
      const { error } = JSON.parse(ran.stderr) as { error: { code: string; sentence: string } };
      return { is: `${error.code} ${ran.code}`, sentence: error.sentence };
    },
  };
}
