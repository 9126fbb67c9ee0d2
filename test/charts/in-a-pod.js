// Loaded into each process of a pod before anything else (`node --import`): the host has the pod's name, and names of services lead to
// pods, as the DNS of a cluster has it.
// Plain JavaScript without imports of ours: it is no part of what runs.
import dns from 'node:dns';
import { readFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';

const table = process.env.TEST_CLUSTER_DNS;

/** @returns the addresses of the pods behind a service, or undefined for names that are none. */
function podsOf(host) {
  const names = JSON.parse(readFileSync(table, 'utf8'));
  return names[host]?.map((address) => ({ address, family: 4 }));
}

const { lookup } = dns;
const lookupByPromise = dns.promises.lookup;

dns.lookup = (host, options, callback) => {
  const done = typeof options === 'function' ? options : callback;
  const found = podsOf(host);
  if (found === undefined) return lookup(host, options, callback);
  // A service sends each connection to any of its pods.
  const one = found[Math.floor(Math.random() * found.length)];
  if (one === undefined) return done(Object.assign(new Error(`no pod behind ${host}`), { code: 'ENOTFOUND' }));
  return options?.all === true ? done(null, found) : done(null, one.address, one.family);
};
dns.promises.lookup = async (host, options) => {
  const found = podsOf(host);
  if (found === undefined) return lookupByPromise(host, options);
  return options?.all === true ? found : found[0];
};
os.hostname = () => process.env.TEST_POD_NAME;
syncBuiltinESMExports();
