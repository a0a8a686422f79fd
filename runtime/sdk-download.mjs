// A process of its own for the SDK's download of Temporal's server: the SDK has no time limit for it, and its
// native part can only be given up by ending the process. Argument: the folder to download into.
import { TestWorkflowEnvironment } from '@temporalio/testing';

const [downloadDir] = process.argv.slice(2);
const environment = await TestWorkflowEnvironment.createLocal({
  server: { executable: { type: 'cached-download', downloadDir } },
});
await environment.teardown();
