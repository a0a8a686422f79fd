/** A mail scanner that follows all links of a page and sends all its forms filled in: what an answer page must bear. */

/** Pages that one visit opens at most: a list may go on and on. */
const LINKS_MAX = 6;

/** Opens the page, follows what it links to, and sends each form with choices, ticks and numbers. How many forms it sent. */
export async function visitAsScanner(url: string, guess: () => string): Promise<number> {
  const page = await (await fetch(url)).text();
  const links = [...page.matchAll(/href="([^"]*)"/g)].map(([, href]) => href ?? '');
  for (const href of links.filter((link) => !link.startsWith('tel:')).slice(0, LINKS_MAX))
    await (await fetch(new URL(href.replaceAll('&amp;', '&'), url))).text();
  const forms = page.match(/<form[\s\S]*?<\/form>/g) ?? [];
  for (const form of forms) await (await fetch(url, { method: 'POST', body: filledIn(form, guess) })).text();
  return forms.length;
}

function filledIn(form: string, guess: () => string): URLSearchParams {
  const fields = new URLSearchParams();
  const choices = new Map<string, string[]>();
  const offer = (name: string, value: string) => choices.set(name, [...(choices.get(name) ?? []), value]);
  for (const [tag] of form.matchAll(/<input[^>]*>/g)) {
    const of = (attribute: string) => new RegExp(`\\b${attribute}="?([^\\s">]*)`).exec(tag)?.[1] ?? '';
    const [type, name] = [of('type'), of('name')];
    if (type === 'radio') offer(name, of('value'));
    else if (type === 'hidden') fields.append(name, of('value'));
    // Of two boxes of a line a clever scanner ticks one.
    else if (type === 'checkbox' && (name === 'r') === Number(guess()) % 2 > 0)
      fields.append(name, of('value'));
    else if (type !== 'checkbox') fields.append(name, guess());
  }
  for (const [, name = '', options = ''] of form.matchAll(
    /<select[^>]*name="(\w+)"[^>]*>([\s\S]*?)<\/select>/g,
  ))
    for (const [, value = ''] of options.matchAll(/value="([^"]*)"/g)) offer(name, value);
  for (const [name, values] of choices) fields.append(name, values[Number(guess()) % values.length] ?? '');
  // The number of people belongs to one choice only: a clever scanner leaves it empty with the others.
  if (fields.get('answer') !== 'done' && fields.has('count')) fields.set('count', '');
  return fields;
}

/** Four digits from a seeded generator (mulberry32). */
export function guesses(seed: number): () => string {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return String((mixed ^ (mixed >>> 14)) >>> 0)
      .slice(-4)
      .padStart(4, '0');
  };
}
