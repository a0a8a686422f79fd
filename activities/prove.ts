/**
 * Proving that people can be reached, without anybody noticing: a provider is asked whether it knows the number and sees the
 * handset. What it cannot say stays as it was: only real messages, and people's answers, prove those.
 */
import type { ChannelPort } from '../domain/ports.ts';
import type { ProvingStore } from '../domain/store.ts';

export type Proved = { asked: number; reachable: number; unreachable: number };

/** Asked at once of one provider. */
const AT_ONCE = 8;

/** Asks after so many addresses at the most; `asked` is 0 when none is left. */
export async function proveSome(
  dependencies: { store: ProvingStore; channel: ChannelPort },
  input: { most: number; olderThanMs: number },
): Promise<Proved> {
  const { store, channel } = dependencies;
  if (!channel.probe) return { asked: 0, reachable: 0, unreachable: 0 };
  const people = await store.take({ ...input, live: channel.live === true });
  const reachable: typeof people = [];
  let unreachable = 0;
  const queue = people.values();
  const askSome = async () => {
    for (const person of queue) {
      const answer = await channel.probe?.(person.address).catch(() => 'unknown' as const);
      if (answer === 'reachable') reachable.push(person);
      if (answer === 'unreachable') unreachable += 1;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, askSome));
  if (reachable.length > 0) await store.proven(reachable);
  return { asked: people.length, reachable: reachable.length, unreachable };
}
