/**
 * The structure of CAP 1.2 as a table: every element in its fixed order, how often it may come, and what it holds. Written from
 * the data dictionary of the standard (OASIS CAP 1.2, sections 3.2.1 to 3.2.4; forms of values: 3.3), and each block names
 * its section. The schema of section 3.4 says the same; where text and schema differ, the text is followed and the file that only
 * the schema accepts gets a recommendation instead of an error where no meaning is lost.
 */
import {
  CATEGORIES,
  CERTAINTIES,
  MESSAGE_TYPES,
  RESPONSE_TYPES,
  SCOPES,
  SEVERITIES,
  STATUSES,
  URGENCIES,
} from './alert.ts';

/** What an element holds: a form of text (`values.ts`), one of a few words, or further elements. */
export type Holds =
  | 'text'
  | 'name'
  | 'time'
  | 'language'
  | 'references'
  | 'polygon'
  | 'circle'
  | 'decimal'
  | 'integer'
  | 'uri'
  | { oneOf: readonly string[] }
  | { block: Block };

export type Clause = { name: string; least: 0 | 1; many: boolean; holds: Holds };

export type Block = { section: string; clauses: readonly Clause[] };

const one = (name: string, holds: Holds = 'text'): Clause => ({ name, least: 1, many: false, holds });
const perhaps = (name: string, holds: Holds = 'text'): Clause => ({ name, least: 0, many: false, holds });
const any = (name: string, holds: Holds = 'text'): Clause => ({ name, least: 0, many: true, holds });
const some = (name: string, holds: Holds = 'text'): Clause => ({ name, least: 1, many: true, holds });

/** A pair of a name and a value, as in eventCode, parameter and geocode. */
const pair = (section: string): Holds => ({ block: { section, clauses: [one('valueName'), one('value')] } });

const AREA: Block = {
  section: '3.2.4',
  clauses: [
    one('areaDesc'),
    any('polygon', 'polygon'),
    any('circle', 'circle'),
    any('geocode', pair('3.2.4')),
    perhaps('altitude', 'decimal'),
    perhaps('ceiling', 'decimal'),
  ],
};

const RESOURCE: Block = {
  section: '3.2.3',
  clauses: [
    one('resourceDesc'),
    one('mimeType'),
    perhaps('size', 'integer'),
    perhaps('uri', 'uri'),
    perhaps('derefUri'),
    perhaps('digest'),
  ],
};

const INFO: Block = {
  section: '3.2.2',
  clauses: [
    perhaps('language', 'language'),
    some('category', { oneOf: CATEGORIES }),
    one('event'),
    any('responseType', { oneOf: RESPONSE_TYPES }),
    one('urgency', { oneOf: URGENCIES }),
    one('severity', { oneOf: SEVERITIES }),
    one('certainty', { oneOf: CERTAINTIES }),
    perhaps('audience'),
    any('eventCode', pair('3.2.2')),
    perhaps('effective', 'time'),
    perhaps('onset', 'time'),
    perhaps('expires', 'time'),
    perhaps('senderName'),
    perhaps('headline'),
    perhaps('description'),
    perhaps('instruction'),
    perhaps('web', 'uri'),
    perhaps('contact'),
    any('parameter', pair('3.2.2')),
    any('resource', { block: RESOURCE }),
    any('area', { block: AREA }),
  ],
};

export const ALERT: Block = {
  section: '3.2.1',
  clauses: [
    one('identifier', 'name'),
    one('sender', 'name'),
    one('sent', 'time'),
    one('status', { oneOf: STATUSES }),
    one('msgType', { oneOf: MESSAGE_TYPES }),
    perhaps('source'),
    one('scope', { oneOf: SCOPES }),
    perhaps('restriction'),
    perhaps('addresses'),
    any('code'),
    perhaps('note'),
    perhaps('references', 'references'),
    perhaps('incidents'),
    any('info', { block: INFO }),
  ],
};
