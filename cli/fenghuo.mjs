#!/usr/bin/env node
// The entry of every command. It is plain JavaScript because it must run before anything is installed:
// it installs the locked dependencies where they are missing or out of date, then hands over to main.ts.
import { ensureInstalled } from './ensure-installed.mjs';

ensureInstalled();
const { register } = await import('tsx/esm/api');
register();
const { main } = await import('./main.ts');
process.exitCode = await main(process.argv.slice(2));
// The command is over. What a library forgot to close must not keep the process: Temporal's native core does where a worker could not
// start. Unref'd, the timer itself keeps nothing alive.
setTimeout(() => process.exit(), 2_000).unref();
