import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAlertSelector } from './alert-selector.ts';

const labels = { alert: 'MeshwardDomainLost', severity: 'page', zone: 'eu-1a' };
const fits = (text: string): boolean => parseAlertSelector(text).fits(labels);

describe('a selector of alerts', () => {
  it('fits where each of its parts does', () => {
    expect(fits('MeshwardDomainLost')).toBe(true);
    expect(fits('DomainLost')).toBe(true);
    expect(fits('alert=MeshwardDomainLost,zone=eu-1a')).toBe(true);
    expect(fits('zone=eu-1a, severity=warning')).toBe(false);
    expect(fits('FilesLost')).toBe(false);
    expect(fits('rack=r1')).toBe(false);
  });

  it('takes * for any text, and != for any other', () => {
    expect(fits('zone=eu-*')).toBe(true);
    expect(fits('zone=*1*')).toBe(true);
    expect(fits('zone=eu-1*1a')).toBe(false);
    expect(fits('*')).toBe(true);
    expect(fits('severity!=warning')).toBe(true);
    expect(fits('zone!=eu-*')).toBe(false);
  });

  it('refuses what it cannot read', () => {
    for (const text of ['', 'a,,b', 'zone==x', '=x', 'zone=', 'x'.repeat(300), 'a,'.repeat(20)]) {
      expect(() => parseAlertSelector(text), text).toThrow('selector');
    }
  });

  it('fits the very text of a value whatever stands in it', () => {
    const text = fc.stringMatching(/^[^,=!*\s]{1,40}$/);
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(parseAlertSelector(`x=${a}`).fits({ x: a })).toBe(true);
        expect(parseAlertSelector(`x=${a}*${b}`).fits({ x: `${a}anything${b}` })).toBe(true);
        expect(parseAlertSelector(`x=${a}`).fits({ x: `${a}${b}` })).toBe(false);
      }),
    );
  });
});
