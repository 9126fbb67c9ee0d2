/** The order of a peer's events: by incarnation, then by sequence; never by a clock. */
export interface EventOrder {
  readonly incarnation: number;
  readonly sequence: number;
}

/** Negative where `a` comes before `b`. */
export function compareOrder(a: EventOrder, b: EventOrder): number {
  return a.incarnation - b.incarnation || a.sequence - b.sequence;
}
