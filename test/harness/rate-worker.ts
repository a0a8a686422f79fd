/**
 * A worker as far as a rate is concerned, as a process of its own: its desk, its pool and an SMS gateway's sender, with messages
 * that never end. `node --import tsx rate-worker.ts <schema> <gateway url> <messages a second> <messages under way>`; it is ended
 * by a signal.
 */
import { routeSenders } from '../../channels/route.ts';
import { createSmsGatewayChannel } from '../../channels/sms-gateway.ts';
import { exerciseMessage } from '../../channels/testing.ts';
import { openDatabase } from '../../db/database.ts';
import { createDesk } from '../../worker/desk.ts';

const [schema = '', url = '', perSecond = '', underWay = ''] = process.argv.slice(2);
const database = openDatabase({ url: process.env['DATABASE_URL'] ?? '', schema, indexesOnly: true });
const desk = createDesk({
  serves: 'exercise',
  database,
  senders: [{ id: 'sms-gateway', channel: 'sms', perSecond: Number(perSecond) }],
  log: (line) => process.stderr.write(`${line}\n`),
});
const gateway = createSmsGatewayChannel({ url, secret: 'a secret of the tests', live: false });
const channel = routeSenders({ channel: 'sms', live: false, senders: [gateway], desk });

let sent = 0;
const lanes = Array.from({ length: Number(underWay) }, async () => {
  for (;;) {
    sent += 1;
    await channel.send(exerciseMessage({ deliveryId: `${process.pid}-${sent}`, attempt: 1 }));
  }
});
await Promise.all(lanes);
