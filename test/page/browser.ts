/** Chromium for the tests of the page: what went wrong in it is kept, and so is what it asked of whom. */
import { readFile } from 'node:fs/promises';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { expect } from 'vitest';
import { installChromium } from '../setup/chromium.ts';

export function startBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: installChromium(),
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

export interface WatchedPage {
  readonly page: Page;
  /** Errors of scripts, of the console, and against the content policy. */
  readonly faults: string[];
  readonly origins: Set<string>;
}

/** @param expected answers that a test provokes: the console tells of each that is no success. */
export async function openPage(
  browser: Browser,
  options: BrowserContextOptions = {},
  expected?: RegExp,
): Promise<WatchedPage> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, ...options });
  const faults: string[] = [];
  const origins = new Set<string>();
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error' && expected?.test(message.text()) !== true) faults.push(message.text());
  });
  page.on('request', (request) => origins.add(new URL(request.url()).origin));
  await page.addInitScript(
    "addEventListener('securitypolicyviolation', (event) => console.error(`against the content policy: ${event.violatedDirective} ${event.blockedURI}`))",
  );
  return { page, faults, origins };
}

let axe: Promise<string> | undefined;

interface Finding {
  readonly id: string;
  readonly impact: string | null;
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
}

/** Fails on what an axe pass finds serious or worse. */
export async function expectAccessible(page: Page, what: string): Promise<void> {
  axe ??= readFile(new URL(import.meta.resolve('axe-core/axe.min.js')), 'utf8');
  await page.evaluate(await axe);
  const found = (await page.evaluate("axe.run(document, { resultTypes: ['violations'] })")) as {
    violations: readonly Finding[];
  };
  const grave = found.violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  const told = grave.flatMap(({ id, nodes }) =>
    nodes.slice(0, 3).map((node) => `${id}: ${node.html.slice(0, 160)} ${node.failureSummary ?? ''}`),
  );
  expect(told, what).toEqual([]);
}
