/**
 * What each sender can do in which country: rules of providers and regulators, kept as data with a source and a date for each
 * line (`scenarios/capabilities.yaml`). Countries are dialling codes; the longest one that fits an address decides, `*` the rest.
 */
import { z } from 'zod';
import type { ResultClass } from './results.ts';
import { CHANNELS, type Channel } from './rules.ts';

const profileSchema = z.strictObject({
  /** Dialling codes such as `+86`; `*` for every address that no other line of this sender fits. */
  country: z.union([z.literal('*'), z.string().regex(/^\+[1-9]\d{0,6}$/)]),
  /** The channel's messages can be sent there at all. */
  sends: z.boolean().default(true),
  /** A person can answer: by writing back, by a key, or by the link that stands in the message. */
  twoWay: z.boolean(),
  /** Texts may hold links. */
  links: z.boolean(),
  /** Calls can be made. */
  voice: z.boolean(),
  /** The same text to the same address within 24 hours; null: no limit known. */
  repeatsPerDay: z.number().int().positive().nullable(),
  /** Texts must follow a template that the provider has approved. */
  templateRequired: z.boolean(),
  /** SMS parts of one message; null: no limit known, or no SMS. */
  segmentsMax: z.number().int().positive().nullable(),
  source: z.string().min(1),
  /** When the source was read. */
  date: z.string().regex(/^\d{4}-\d{2}-\d{2}$/),
});

export const capabilitiesSchema = z
  .strictObject({
    senders: z.record(
      z.string(),
      z.strictObject({ channel: z.enum(CHANNELS), profiles: z.array(profileSchema).nonempty() }),
    ),
  })
  .superRefine(({ senders }, context) => {
    for (const [id, { profiles }] of Object.entries(senders)) {
      const countries = profiles.map(({ country }) => country);
      const path = ['senders', id, 'profiles'];
      if (new Set(countries).size < countries.length)
        context.addIssue({ code: 'custom', path, message: 'a country stands there twice' });
      if (!countries.includes('*'))
        context.addIssue({ code: 'custom', path, message: 'a line for all other countries (*) is missing' });
    }
  });

export type Capabilities = z.infer<typeof capabilitiesSchema>;
export type CapabilityProfile = z.infer<typeof profileSchema>;

/** What a sender can do at an address; null for a sender that nothing is known of. */
export function profileOf(
  capabilities: Capabilities,
  senderId: string,
  address: string,
): CapabilityProfile | null {
  let best: CapabilityProfile | null = null;
  for (const profile of capabilities.senders[senderId]?.profiles ?? []) {
    const fits = profile.country === '*' || address.startsWith(profile.country);
    if (fits && (best === null || profile.country.length > best.country.length)) best = profile;
  }
  return best;
}

/**
 * Why this sender cannot carry a message to this address by its country's rules; null where it can. One-way SMS, texts that would have
 * to follow a template, and an address that another provider can reach are refused alike: a warning that cannot be answered is left to
 * a sender that hears. `parts` are those of an SMS, where it is one and its text is known: a bound that is quickly had, and the count.
 */
export function capabilityRefusal(
  capabilities: Capabilities,
  sender: { id: string; byTemplate?: boolean },
  address: string,
  parts?: { atMost: number; count: () => number },
): ResultClass | null {
  const profile = profileOf(capabilities, sender.id, address);
  if (profile === null) return null;
  if (!profile.sends || (profile.templateRequired && sender.byTemplate !== true)) return 'other-sender';
  const most = profile.segmentsMax ?? Infinity;
  return parts && parts.atMost > most && parts.count() > most ? 'too-long' : null;
}

/** True where what this sender carries to an address may hold the link of an answer page, and nobody but its person reads it. */
export function mayHoldLink(capabilities: Capabilities, senderId: string, address: string): boolean {
  const profile = profileOf(capabilities, senderId, address);
  return profile !== null && profile.links && profile.twoWay;
}

/** Whether a person can answer by a channel, by the beginning of the address. */
export type AnswerRule = { channel: Channel; prefix: string; answers: boolean };

/**
 * Where an answer can come back from, given these senders: for each channel and country the word of the most able sender; of
 * several rules that fit an address the longest prefix decides. Channels without a sender have no rule.
 */
export function answerRules(capabilities: Capabilities, senderIds: readonly string[]): AnswerRule[] {
  const known = senderIds.flatMap((id) => {
    const sender = capabilities.senders[id];
    return sender ? [{ id, ...sender }] : [];
  });
  return CHANNELS.flatMap((channel) => {
    const senders = known.filter((sender) => sender.channel === channel);
    const countries = new Set(senders.flatMap(({ profiles }) => profiles.map(({ country }) => country)));
    return [...countries].map((country) => {
      const prefix = country === '*' ? '' : country;
      const answers = senders.some(({ id }) => {
        const profile = profileOf(capabilities, id, prefix);
        return profile !== null && profile.sends && profile.twoWay;
      });
      return { channel, prefix, answers };
    });
  });
}
