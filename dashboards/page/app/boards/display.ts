/** A value of a field as text and colour: units, mappings and thresholds of the JSON. */
import { colorOf } from '../parts/plot.tsx';
import { ago, bytes, duration, moment, short } from '../words.ts';
import type { Cell, Field } from './frames.ts';
import type { FieldSettings } from './model.ts';

export interface Display {
  readonly text: string;
  /** A name of the JSON's, such as `dark-red`; empty where it says none. */
  readonly color: string;
}

function decimalsOf(value: number, decimals: number | undefined): number {
  if (decimals !== undefined) return decimals;
  const size = Math.abs(value);
  return Number.isInteger(value) || size >= 100 ? 0 : size >= 10 ? 1 : 2;
}

export function withUnit(value: number, { unit, decimals }: FieldSettings): string {
  switch (unit) {
    case 'bytes':
      return value < 0 ? `−${bytes(-value)}` : bytes(Math.round(value));
    case 'Bps':
      return `${value < 0 ? '−' : ''}${bytes(Math.round(Math.abs(value)))}/s`;
    case 's':
      return value < 1 && value > 0 ? `${Math.round(value * 1000)} ms` : duration(value * 1000);
    case 'ms':
      return value < 1000 ? `${value.toFixed(decimalsOf(value, decimals))} ms` : duration(value);
    case 'percentunit': {
      const percent = value * 100;
      return `${Number(percent.toFixed(decimals ?? (percent > 99 || percent < 1 ? 2 : 1)))} %`;
    }
    case 'dateTimeAsIso':
      return moment(value);
    case 'dateTimeFromNow':
      return ago(value);
    case undefined:
    default:
      return Math.abs(value) >= 10_000 ? short(value) : value.toFixed(decimalsOf(value, decimals));
  }
}

export function display({ type, settings }: Pick<Field, 'type' | 'settings'>, value: Cell): Display {
  if (value === null) return { text: settings.noValue ?? '–', color: '' };
  for (const { options } of settings.mappings ?? []) {
    const mapped = options[String(value)];
    if (mapped !== undefined) return { text: mapped.text ?? String(value), color: mapped.color ?? '' };
  }
  if (typeof value === 'string') return { text: value, color: fixedOf(settings) };
  const unit = type === 'time' && settings.unit?.startsWith('dateTime') !== true ? { unit: 'dateTimeAsIso' } : settings;
  return { text: withUnit(value, unit), color: colorAt(settings, value) };
}

function fixedOf({ color }: FieldSettings): string {
  return color?.mode === 'fixed' ? (color.fixedColor ?? '') : '';
}

/** Of the last threshold that the value reaches. */
export function colorAt(settings: FieldSettings, value: number): string {
  const fixed = fixedOf(settings);
  if (fixed !== '') return fixed;
  let color = '';
  for (const step of settings.thresholds?.steps ?? [])
    if (step.value === null || value >= step.value) color = step.color;
  return color === 'transparent' ? '' : color;
}

const names = ['green', 'dark-green', 'yellow', 'orange', 'red', 'dark-red', 'blue', 'purple'];

/** A colour of the JSON's as the page draws it, light or dark. */
export function paint(name: string): string {
  if (name.startsWith('#')) return colorOf('c-gray');
  const plain = name.replace(/^(semi|super)-/, '').replace(/^light-/, '');
  return names.includes(plain) ? colorOf(`c-${plain}`) : colorOf('c-gray');
}

const series = ['c-blue', 'c-green', 'c-orange', 'c-purple', 'c-red', 'c-yellow', 'c-gray', 'c-dark-green'];

export function seriesColor({ settings }: Field, index: number): string {
  const fixed = fixedOf(settings);
  return fixed === '' ? colorOf(series[index % series.length] as string) : paint(fixed);
}
