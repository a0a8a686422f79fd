/** What Temporal starts when the time of a schedule of drills has come: it asks for one drill, and whoever conducts drills plays it. */
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { DrillActivities } from '../activities/activities.ts';

/** Of Temporal's own: the time that was meant, whenever the workflow began. */
const SCHEDULED_AT = defineSearchAttributeKey('TemporalScheduledStartTime', SearchAttributeType.DATETIME);

const { wishDrill } = proxyActivities<DrillActivities>({
  startToCloseTimeout: '1 minute',
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '1 minute' },
});

/** Repeated as often as may be: schedule and time together give one drill, or one line that says why there was none. */
export async function askForDrill({ scheduleId }: { scheduleId: number }): Promise<void> {
  const { typedSearchAttributes, startTime } = workflowInfo();
  const due = typedSearchAttributes.get(SCHEDULED_AT) ?? startTime;
  await wishDrill({ scheduleId, dueAt: due.getTime() });
}
