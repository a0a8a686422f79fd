/**
 * A message of the Common Alerting Protocol 1.2 (OASIS, 1 July 2010; ITU-T X.1303) as plain data. Names are those of the
 * standard; what may be missing is null, what may come several times is a list.
 */
export const CAP_NAMESPACE = 'urn:oasis:names:tc:emergency:cap:1.2';

export const STATUSES = ['Actual', 'Exercise', 'System', 'Test', 'Draft'] as const;
export const MESSAGE_TYPES = ['Alert', 'Update', 'Cancel', 'Ack', 'Error'] as const;
export const SCOPES = ['Public', 'Restricted', 'Private'] as const;
export const CATEGORIES = [
  'Geo',
  'Met',
  'Safety',
  'Security',
  'Rescue',
  'Fire',
  'Health',
  'Env',
  'Transport',
  'Infra',
  'CBRNE',
  'Other',
] as const;
export const RESPONSE_TYPES = [
  'Shelter',
  'Evacuate',
  'Prepare',
  'Execute',
  'Avoid',
  'Monitor',
  'Assess',
  'AllClear',
  'None',
] as const;
export const URGENCIES = ['Immediate', 'Expected', 'Future', 'Past', 'Unknown'] as const;
export const SEVERITIES = ['Extreme', 'Severe', 'Moderate', 'Minor', 'Unknown'] as const;
export const CERTAINTIES = ['Observed', 'Likely', 'Possible', 'Unlikely', 'Unknown'] as const;

export type CapStatus = (typeof STATUSES)[number];
export type CapMessageType = (typeof MESSAGE_TYPES)[number];

/** Latitude, longitude in degrees, as CAP writes them: the other way round than GeoJSON. */
export type CapPoint = readonly [latitude: number, longitude: number];

export type CapCircle = { centre: CapPoint; radiusKm: number };

export type NamedValue = { valueName: string; value: string };

/** An earlier message. `sent` is empty where the sender left it out: real messages do. */
export type CapReference = { sender: string; identifier: string; sent: string };

export type CapArea = {
  areaDesc: string;
  /** First and last point are the same. */
  polygons: readonly (readonly CapPoint[])[];
  circles: readonly CapCircle[];
  geocodes: readonly NamedValue[];
  altitude: string | null;
  ceiling: string | null;
};

export type CapResource = {
  resourceDesc: string;
  mimeType: string;
  size: string | null;
  uri: string | null;
  derefUri: string | null;
  digest: string | null;
};

export type CapInfo = {
  /** Null where it is left out, which means en-US. */
  language: string | null;
  categories: readonly (typeof CATEGORIES)[number][];
  event: string;
  responseTypes: readonly (typeof RESPONSE_TYPES)[number][];
  urgency: (typeof URGENCIES)[number];
  severity: (typeof SEVERITIES)[number];
  certainty: (typeof CERTAINTIES)[number];
  audience: string | null;
  eventCodes: readonly NamedValue[];
  effective: string | null;
  onset: string | null;
  expires: string | null;
  senderName: string | null;
  headline: string | null;
  description: string | null;
  instruction: string | null;
  web: string | null;
  contact: string | null;
  parameters: readonly NamedValue[];
  resources: readonly CapResource[];
  areas: readonly CapArea[];
};

export type CapAlert = {
  identifier: string;
  sender: string;
  /** `2026-07-09T02:42:00+08:00`. */
  sent: string;
  status: CapStatus;
  msgType: CapMessageType;
  source: string | null;
  scope: (typeof SCOPES)[number];
  restriction: string | null;
  addresses: string | null;
  codes: readonly string[];
  note: string | null;
  references: readonly CapReference[];
  incidents: string | null;
  infos: readonly CapInfo[];
};
