/** What can go wrong by the hand of the simulator; what channels and people do is in the world's temper. */
export const FAULT_KINDS = [
  'worker killed',
  'all workers gone',
  'postgres restart',
  'postgres away',
  'temporal away',
  'doorbell lost',
  'answer committed late',
  'page run twice',
  'loop dropped',
  'clock jump',
  'poison letter',
  'provider away',
] as const;

export type FaultKind = (typeof FAULT_KINDS)[number];
