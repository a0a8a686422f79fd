/** Messages that mean harm: to memory, to time, to files, to the network, or to whoever believes a signature. */
import { generateKeyPairSync } from 'node:crypto';
import { CAP_BYTES_MAX } from '../../domain/cap/decode.ts';
import { signCap } from '../../domain/cap/signature.ts';
import { message } from './messages.ts';

const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';

const GEOCODE = '<geocode><valueName>division</valueName><value>500114</value></geocode>';

/** The message with something before its root. */
function headed(head: string, note = ''): Buffer {
  return Buffer.from(message({ after: note }).replace(DECLARATION, `${DECLARATION}${head}`));
}

const described = (description: string) => Buffer.from(message({ description }));
const almostAll = (text: string) => text.repeat(Math.floor((CAP_BYTES_MAX - 4_000) / text.length));

export function hostileMessages(keys: { privateKey: string }): Record<string, () => Buffer> {
  const signed = () => signCap(message(), keys.privateKey);
  const signature = () => /<Signature[\s\S]*<\/Signature>/.exec(signed())?.[0] ?? '';
  return {
    'entity that is a file': () =>
      headed('<!DOCTYPE alert [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n', '<note>&x;</note>'),
    'entity that is an address': () =>
      headed('<!DOCTYPE alert [<!ENTITY x SYSTEM "http://127.0.0.1:9/">]>\n', '<note>&x;</note>'),
    'billion laughs': () => {
      const lines = Array.from(
        { length: 9 },
        (_, index) => `<!ENTITY l${index + 1} "${`&l${index};`.repeat(10)}">`,
      );
      return headed(`<!DOCTYPE alert [<!ENTITY l0 "ha">${lines.join('')}]>\n`, '<note>&l9;</note>');
    },
    'quadratic entity': () => headed(`<!DOCTYPE alert [<!ENTITY a "${'a'.repeat(100_000)}">]>\n`),
    'parameter entity': () =>
      headed('<!DOCTYPE alert [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x.dtd"> %p;]>\n'),
    'document type elsewhere': () => headed('<!DOCTYPE alert SYSTEM "http://127.0.0.1:9/cap.dtd">\n'),
    'endless document type': () => headed(`<!DOCTYPE alert [${almostAll('<!ELEMENT a ANY>')}`),
    'entity without a declaration': () => described('&xxe;'),
    XInclude: () =>
      Buffer.from(
        message({
          after:
            '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd" parse="text"/>',
        }),
      ),
    'numeric reference of a million digits': () => described(`&#${'9'.repeat(1_000_000)};`),
    'numeric reference of a million zeros': () => described(`&#x${'0'.repeat(1_000_000)}41;`),
    'numeric reference beyond Unicode': () => described('&#x110000;'),
    'reference to a null character': () => described('&#0;'),
    'a million references': () => described(almostAll('&#65;')),
    'deep nesting': () => described('<a>'.repeat(100_000)),
    'deep and closed': () => described(`${'<a>'.repeat(5_000)}${'</a>'.repeat(5_000)}`),
    'many elements': () => Buffer.from(message({ area: almostAll('<circle/>') })),
    'many attributes': () =>
      Buffer.from(
        message().replace(
          '<identifier>',
          `<identifier ${Array.from({ length: 100_000 }, (_, index) => `a${index}=""`).join(' ')}>`,
        ),
      ),
    'many namespaces': () =>
      Buffer.from(
        message().replace(
          '<info>',
          `<info ${Array.from({ length: 50_000 }, (_, index) => `xmlns:n${index}="urn:n${index}"`).join(' ')}>`,
        ),
      ),
    'one long name': () => Buffer.from(`<${'a'.repeat(CAP_BYTES_MAX - 100)}/>`),
    'one long attribute': () => Buffer.from(message().replace('<alert ', `<alert a="${almostAll('x')}" `)),
    'one long line of points': () =>
      Buffer.from(message({ area: `<polygon>${almostAll('29.1,108.1 ')}</polygon>` })),
    'a polygon of digits': () => Buffer.from(message({ area: `<polygon>${almostAll('1')}</polygon>` })),
    'a time of digits': () => Buffer.from(message({ sent: almostAll('2026-') })),
    'references without end': () => Buffer.from(message({ references: almostAll('a,') })),
    'ampersands without end': () => described(almostAll('&')),
    'brackets without end': () => described(almostAll(']]')),
    'a comment without end': () => described(`<!--${almostAll('- ')}`),
    'blanks without end': () => described(almostAll(' \n')),
    'a declaration without end': () => Buffer.from(`<?xml version="1.0" ${almostAll(' encoding')}`),
    'nothing at all': () => Buffer.alloc(0),
    zeros: () => Buffer.alloc(CAP_BYTES_MAX),
    'half a character': () => Buffer.concat([Buffer.from(message()), Buffer.from([0xe6])]),
    'UTF-7': () => Buffer.from(message().replace('UTF-8', 'UTF-7')),
    'two roots': () => Buffer.from(message() + message().replace(DECLARATION, '')),
    'the root within another': () =>
      Buffer.from(`<wrap xmlns="urn:example">${message().replace(DECLARATION, '')}</wrap>`),

    'signature of a foreign key': () => {
      const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
      return Buffer.from(signCap(message(), privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()));
    },
    'signed, then changed': () => Buffer.from(signed().replace('100毫米', '10毫米')),
    'signed, then exercise made actual': () => Buffer.from(signed().replace('>Exercise<', '>Actual<')),
    'a signature from another message': () =>
      Buffer.from(message({ identifier: 'OTHER', after: signature() })),
    'signature wrapped in': () => {
      // The signed message hangs inside the signature of a forged one.
      const inner = signed().replace(DECLARATION, '');
      const wrapping = signature().replace('</Signature>', `<Object>${inner}</Object></Signature>`);
      return Buffer.from(message({ identifier: 'FORGED', after: wrapping }));
    },
    'signature further down': () => Buffer.from(message({ area: `${GEOCODE}${signature()}` })),
    'two signatures': () => Buffer.from(signed().replace('</alert>', `${signature()}</alert>`)),
    'reference to a part': () => Buffer.from(signed().replace('URI=""', 'URI="#part"')),
    'reference without address': () => Buffer.from(signed().replace(' URI=""', '')),
    'two references': () => {
      const reference = /<Reference[\s\S]*<\/Reference>/.exec(signed())?.[0] ?? '';
      return Buffer.from(signed().replace(reference, reference + reference));
    },
    'a transform that takes away': () =>
      Buffer.from(
        signed().replace(
          '<Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>',
          '<Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"><XPath>self::none</XPath></Transform>',
        ),
      ),
    'SHA-1': () =>
      Buffer.from(
        signed().replace('http://www.w3.org/2001/04/xmlenc#sha256', 'http://www.w3.org/2000/09/xmldsig#sha1'),
      ),
    'HMAC with the public key': () =>
      Buffer.from(
        signed().replace(
          'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
          'http://www.w3.org/2000/09/xmldsig#hmac-sha1',
        ),
      ),
    'a certificate of its own': () => {
      const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
      const key = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
      const info = `<KeyInfo><X509Data><X509Certificate>${key}</X509Certificate></X509Data></KeyInfo>`;
      const own = signCap(message(), privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
      return Buffer.from(own.replace('</Signature>', `${info}</Signature>`));
    },
    'a comment in the value': () =>
      Buffer.from(signed().replace(/<SignatureValue>/, '<SignatureValue><!-- x -->AAAA')),
  };
}
