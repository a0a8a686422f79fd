// The entry of `npm run bench`: plain JavaScript, because the locked dependencies may have to be installed first.
import { ensureInstalled } from '../cli/ensure-installed.mjs';

ensureInstalled();
const { register } = await import('tsx/esm/api');
register();
const { main } = await import('./run.ts');
process.exitCode = await main(process.argv.slice(2));
