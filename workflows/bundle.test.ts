/** What is not in the workflow bundle: I/O would break determinism, personal data would reach Temporal. */
import { expect, it } from 'vitest';
import { workflowBundle } from '../worker/worker.ts';

it('holds the cell workflow and nothing that reads, writes or sends', async () => {
  const { code } = await workflowBundle();
  expect(code).toContain('doorbell');
  for (const stranger of [
    'node_modules/pg/',
    'nodemailer',
    'undici',
    'db/cells',
    'activities/step.ts',
    'channels/',
    'domain/links',
    'domain/capabilities',
  ]) {
    expect(code, stranger).not.toContain(stranger);
  }
});
