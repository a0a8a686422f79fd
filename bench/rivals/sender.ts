/** What each rival is inside its process. */
import type { Config } from '../../config.ts';
import type { Database } from '../../db/database.ts';
import type { OutgoingMessage } from '../../domain/ports.ts';
import type { Channel } from '../../domain/rules.ts';
import type { Outcomes } from './outcomes.ts';

export type SenderInput = { config: Config; database: Database; outcomes: Outcomes };

export type Sender = {
  channel: Channel;
  settings: Record<string, string | number>;
  /** Whether a durable row is owed for each message. */
  keepsOutcomes: boolean;
  /** Before the clock starts. */
  prepare?(messages: readonly OutgoingMessage[]): Promise<void>;
  /** Returns when everything is sent, and stored where that is owed. */
  send(messages: readonly OutgoingMessage[]): Promise<void>;
  close(): Promise<void>;
};
