/** What the schema of the configuration is made of: a leaf that says what it means, and the kinds of values that most leaves have. */
import { z } from 'zod';

export const minuteMs = 60_000;
export const hourMs = 60 * minuteMs;
export const dayMs = 24 * hourMs;
export const mebibyte = 1024 * 1024;

/** A leaf of the schema with what a reader needs to know. */
export function key<T extends z.ZodType>(schema: T, fallback: z.input<T>, unit: string, description: string) {
  return schema.default(fallback as never).meta({ unit, description });
}

export const port = z.number().int().min(0).max(65_535);
export const count = z.number().int().min(1);
export const durationMs = z.number().int().min(1);
export const bytes = z.number().int().min(0);
export const ratio = z.number().min(0).max(1);
export const text = z.string();
