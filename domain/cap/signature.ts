/**
 * Enveloped XML signatures (OASIS CAP 1.2, 3.3.4.1), against a key that is pinned to the sender. What counts afterwards is what was signed,
 * not the file it came in: the caller reads the message from `signed`. A certificate inside the message is never looked at.
 */
import { createPublicKey } from 'node:crypto';
import { DOMParser } from '@xmldom/xmldom';
import { SignedXml } from 'xml-crypto';
import { isSignature, SIGNATURE_NAMESPACE } from './check.ts';
import { finding, type Finding } from './findings.ts';
import type { XmlElement } from './xml.ts';

const ENVELOPED = 'http://www.w3.org/2000/09/xmldsig#enveloped-signature';
const EXCLUSIVE = 'http://www.w3.org/2001/10/xml-exc-c14n#';
const INCLUSIVE = 'http://www.w3.org/TR/2001/REC-xml-c14n-20010315';
const RSA_SHA256 = 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256';
const SHA256 = 'http://www.w3.org/2001/04/xmlenc#sha256';

const SIGNATURE_METHODS = [RSA_SHA256, 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha512'];
const DIGESTS = [SHA256, 'http://www.w3.org/2001/04/xmlenc#sha512'];
const CANONICAL = [EXCLUSIVE, INCLUSIVE];

/** Shorter keys can be broken: NIST SP 800-131A allows none for signing since 2014. */
export const KEY_BITS_LEAST = 2_048;

export type Verified = { signed: string } | { fault: Finding };

/** Does the message carry anything that says it is a signature, wherever it stands? */
export function isSigned(root: XmlElement): boolean {
  return signaturesIn(root).length > 0;
}

/**
 * Checks the one signature of a message against `publicKey` (PEM). `signed` is the canonical text of the whole message without
 * its signature.
 */
export function verifySignature(text: string, root: XmlElement, publicKey: string, sender: string): Verified {
  const signatures = signaturesIn(root);
  const [signature] = signatures;
  if (!signature) return { fault: finding('CAP-601', root.place, { sender }) };
  // One further down, or a second one, is how a signed message is wrapped into a forged one.
  if (signatures.length > 1 || !root.children.some(isSignature)) {
    return { fault: finding('CAP-602', signature.place) };
  }
  const fault = judgeForm(signature);
  if (fault) return { fault };
  const signed = signedText(text, publicKey);
  return signed === null ? { fault: finding('CAP-605', signature.place, { sender }) } : { signed };
}

/** The whole message, signed with an RSA key (PEM); the signature is the last child of alert. */
export function signCap(xml: string, privateKey: string): string {
  const signer = new SignedXml({
    privateKey,
    signatureAlgorithm: RSA_SHA256,
    canonicalizationAlgorithm: EXCLUSIVE,
  });
  signer.addReference({
    xpath: '/*',
    isEmptyUri: true,
    transforms: [ENVELOPED, EXCLUSIVE],
    digestAlgorithm: SHA256,
  });
  signer.computeSignature(xml, { location: { reference: '/*', action: 'append' } });
  return signer.getSignedXml();
}

/** An RSA key of enough bits, as PEM; null where the text holds none. A certificate gives its key. */
export function readPublicKey(pem: string): string | null {
  try {
    const key = createPublicKey(pem);
    const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
    if (key.asymmetricKeyType !== 'rsa' || bits < KEY_BITS_LEAST) return null;
    return key.export({ type: 'spki', format: 'pem' }).toString();
  } catch {
    return null;
  }
}

function signaturesIn(element: XmlElement): XmlElement[] {
  return element.children.flatMap((child) =>
    isSignature(child) ? [child, ...signaturesIn(child)] : signaturesIn(child),
  );
}

/** One reference, to the whole message, by algorithms that hold; nothing else inside that could be meant instead. */
function judgeForm(signature: XmlElement): Finding | null {
  const whole = finding('CAP-603', signature.place);
  const [signedInfo, ...others] = inside(signature, 'SignedInfo');
  if (!signedInfo || others.length > 0 || inside(signature, 'Object').length > 0) return whole;
  const [reference, ...more] = inside(signedInfo, 'Reference');
  if (!reference || more.length > 0 || attribute(reference, 'URI') !== '') return whole;
  const transforms = inside(reference, 'Transforms').flatMap((list) => inside(list, 'Transform'));
  const [first, second, ...further] = transforms.map((transform) => attribute(transform, 'Algorithm') ?? '');
  if (first !== ENVELOPED || further.length > 0) return whole;
  const weak = [
    ...unknown([second ?? EXCLUSIVE], CANONICAL),
    ...unknown(algorithms(signedInfo, 'CanonicalizationMethod'), CANONICAL),
    ...unknown(algorithms(signedInfo, 'SignatureMethod'), SIGNATURE_METHODS),
    ...unknown(algorithms(reference, 'DigestMethod'), DIGESTS),
  ];
  return weak[0] === undefined ? null : finding('CAP-604', signature.place, { value: weak[0] });
}

/** What is not in the list; an algorithm that is missing, or there twice, is not in it either. */
function unknown(found: readonly string[], known: readonly string[]): string[] {
  if (found.length !== 1) return [found.join(' ')];
  return found.filter((one) => !known.includes(one));
}

function signedText(text: string, publicKey: string): string | null {
  try {
    const document = new DOMParser().parseFromString(text, 'text/xml');
    const verifier = new SignedXml({ publicCert: publicKey, getCertFromKeyInfo: () => null });
    const [node, ...others] = verifier.findSignatures(document);
    if (!node || others.length > 0) return null;
    verifier.loadSignature(node);
    if (!verifier.checkSignature(text)) return null;
    const [signed, ...more] = verifier.getSignedReferences();
    return signed === undefined || more.length > 0 ? null : signed;
  } catch {
    // The library throws where the value does not fit: whatever the reason, nothing was proved.
    return null;
  }
}

function inside(element: XmlElement, local: string): XmlElement[] {
  return element.children.filter((child) => child.uri === SIGNATURE_NAMESPACE && child.local === local);
}

function algorithms(element: XmlElement, local: string): string[] {
  return inside(element, local).map((child) => attribute(child, 'Algorithm') ?? '');
}

function attribute(element: XmlElement, name: string): string | null {
  return element.attributes.find((one) => one.name === name)?.value ?? null;
}
