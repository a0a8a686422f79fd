/** A workflow that puts a page id into any queue of its namespace, as a defect or a stranger might. */
import { proxyActivities } from '@temporalio/workflow';
import type { PageActivities } from '../../activities/activities.ts';

export async function stray({ queue, pageId }: { queue: string; pageId: number }): Promise<void> {
  const { sendPage } = proxyActivities<PageActivities>({
    taskQueue: queue,
    startToCloseTimeout: '20 seconds',
    retry: { maximumAttempts: 3 },
  });
  await sendPage({ pageId });
}
