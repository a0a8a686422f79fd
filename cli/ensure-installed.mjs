// Installs the locked dependencies when they are missing or the lock file has changed since.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const stamp = join(root, 'node_modules', '.fenghuo-lock');
const [major, minor] = process.versions.node.split('.').map(Number);

/** Exits with 1 and says what to do when Node is too old or npm cannot install. Prints on stderr only. */
export function ensureInstalled() {
  if (major < 20 || (major === 20 && minor < 19)) {
    fail(
      `Fenghuo needs Node 20.19 or newer; this is ${process.versions.node}. Install a newer Node and run the command again.`,
    );
  }
  const wanted = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  process.stderr.write('Installing the locked dependencies (npm ci) …\n');
  // npm's own output goes to our stderr, so that `--json` leaves exactly one object on stdout.
  const done = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  });
  if (done.status !== 0) {
    fail(
      'npm ci failed (its message is above). Check the network or the npm registry setting, then run the command again.',
    );
  }
  writeFileSync(stamp, wanted);
}

function fail(sentence) {
  process.stderr.write(`${sentence}\n`);
  process.exit(1);
}
