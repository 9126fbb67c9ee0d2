/** Failure domains on a command line: `zone=alder`. */
import { MeshwardError } from '#mesh/errors.ts';
import { type Domains, isDomainWord } from '#mesh/peer-state.ts';

/** As the collector takes kinds. */
const kindPattern = /^[a-z][a-z0-9_-]{0,39}$/;

/** @throws MeshwardError `bad-input`; also where a kind is named twice. */
export function parseDomains(texts: readonly string[]): Domains {
  const domains: Record<string, string> = {};
  for (const text of texts) {
    const [kind = '', name = '', ...more] = text.split('=');
    if (more.length > 0 || !kindPattern.test(kind) || !isDomainWord(name)) {
      throw new MeshwardError('bad-input', `"${text.slice(0, 60)}" is no failure domain`, {
        next: 'Write kind=name, such as zone=eu-1: the kind in lower case, the name of letters, digits, dots and dashes.',
      });
    }
    if (domains[kind] !== undefined) {
      throw new MeshwardError('bad-input', `the domain ${kind} is given twice`, {
        next: 'Give each kind of domain once.',
      });
    }
    domains[kind] = name;
  }
  return domains;
}

/** Whether a peer is in every one of the domains. */
export function isInDomains(domains: Domains, wanted: Domains): boolean {
  return Object.entries(wanted).every(([kind, name]) => domains[kind] === name);
}

export function formatDomains(domains: Domains): string {
  return Object.entries(domains)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([kind, name]) => `${kind}=${name}`)
    .join(' ');
}
