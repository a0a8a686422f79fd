// `npm test` and `npm run test:long`: installs what is missing, runs vitest, and closes with `N passed, N failed`.
// Further arguments go to vitest: `npm test -- domain`.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureInstalled } from '../cli/ensure-installed.mjs';

ensureInstalled();
const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const folder = mkdtempSync(join(tmpdir(), 'fenghuo-results-'));
const results = join(folder, 'results.json');
const given = process.argv.slice(2);
const long = given.includes('--long');
const run = spawnSync(
  process.execPath,
  [
    join(root, 'node_modules/vitest/vitest.mjs'),
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${results}`,
    ...given.filter((argument) => argument !== '--long'),
  ],
  { cwd: root, stdio: 'inherit', env: { ...process.env, FENGHUO_TEST_LONG: long ? '1' : '0' } },
);

let passed = 0;
let failed = 0;
try {
  const report = JSON.parse(readFileSync(results, 'utf8'));
  passed = report.numPassedTests;
  failed = report.numFailedTests;
  // A file that cannot be loaded has no tests of its own, and must not look like success.
  for (const file of report.testResults)
    if (file.status === 'failed' && file.assertionResults.length === 0) failed += 1;
} catch {
  failed = 1;
}
rmSync(folder, { recursive: true, force: true });
if (run.status !== 0 && failed === 0) failed = 1;
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
