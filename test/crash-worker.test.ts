/** The only worker is killed by -9, at the four moments that matter and at ten others; each warning reaches its end. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { broken } from './harness/stack.ts';
import { startCrashSite, type CrashSite, type Kill } from './harness/crash-site.ts';
import { report } from './harness/crash-report.ts';
