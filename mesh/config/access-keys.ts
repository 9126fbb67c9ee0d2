/** Keys of the section `access`: who may use the HTTP API, the page, the repairer's state and the ports for metrics. */
import { BlockList, isIP } from 'node:net';
import { z } from 'zod';
import { roles } from '../role.ts';
import { count, durationMs, hourMs, key, minuteMs, text } from './key.ts';

const headerName = z.string().regex(/^[a-z][a-z0-9-]{0,63}$/, 'is not the name of a header in small letters');

/** An address, or a subnet such as 10.1.0.0/16. */
const address = z.string().refine(isAddress, 'is neither an address nor a subnet such as 10.1.0.0/16');

const groupRole = z.strictObject({
  group: z.string().min(1).max(200),
  role: z.enum(roles),
});

export const accessSection = z.strictObject({
  tokensFile: key(
    text,
    '',
    'path',
    'File of access tokens, hashed, as `meshward access create` writes it; it may be a mounted secret, and is read again when it changes. Empty: no tokens are taken.',
  ),
  apiTokenFile: key(
    text,
    '',
    'path',
    'File with the token that commands and services of this configuration send to HTTP APIs. Empty sends none.',
  ),
  apiCaFile: key(
    text,
    '',
    'path',
    "File of certificates (PEM) by which HTTP APIs over TLS are known, beside those that this machine's Node trusts.",
  ),
  sessionKeyFile: key(
    text,
    '',
    'path',
    'File of 32 bytes or more that sign the cookies of the page; analyzers that share it take each other’s. Empty: made at each start.',
  ),
  sessionMs: key(durationMs.min(minuteMs), 12 * hourMs, 'ms', 'How long a login at the page lasts.'),
  requestsPerMinute: key(
    count.max(1_000_000),
    1200,
    'requests/min',
    'Most requests a minute of one caller; more get 429 and a time to wait.',
  ),
  trustedProxies: key(
    z.array(address).max(64),
    [],
    'addresses',
    'Addresses or subnets of reverse proxies that log people in, and whose identity headers are believed. From others they are passed over.',
  ),
  proxyUserHeader: key(headerName, 'x-forwarded-user', 'header', 'Header in which a trusted proxy names the person.'),
  proxyGroupsHeader: key(
    headerName,
    'x-forwarded-groups',
    'header',
    'Header in which a trusted proxy names the groups of the person, with commas between them.',
  ),
  proxyRoles: key(
    z.array(groupRole).max(100),
    [],
    'roles',
    'Which role a group of a trusted proxy has, such as {group: sre, role: operator}; the highest counts. Who is in none is denied.',
  ),
  allowPlainHttp: key(
    z.boolean(),
    false,
    'yes/no',
    'Let services beyond loopback run without TLS of their own, and tokens be sent to them so. Only where a proxy in front ends TLS, or the network keeps others out: tokens can be read on the way otherwise.',
  ),
});

function isAddress(given: string): boolean {
  return addressList([given]) !== null;
}

/** Null where one of them is no address. */
export function addressList(addresses: readonly string[]): BlockList | null {
  const list = new BlockList();
  for (const each of addresses) {
    const [net = '', length] = each.split('/', 2);
    const version = isIP(net);
    if (version === 0) return null;
    const family = version === 4 ? 'ipv4' : 'ipv6';
    if (length === undefined) list.addAddress(net, family);
    else if (/^\d{1,3}$/.test(length) && Number(length) <= (version === 4 ? 32 : 128))
      list.addSubnet(net, Number(length), family);
    else return null;
  }
  return list;
}

export interface AccessAsked {
  readonly tokensFile: string;
  readonly trustedProxies: readonly string[];
}

/** Whether whoever asks must show who he is. */
export function isAccessAsked(access: AccessAsked): boolean {
  return access.tokensFile !== '' || access.trustedProxies.length > 0;
}
