/** Takes secrets out of text that is shown. What a person typed in the wrong place must not come back on a screen or in a log. */

/** Kinds of cap whose next field is not a secret. */
const publicKinds = /^(?:CHK-Verifier|DIR2-CHK-Verifier|SSK-Verifier|MDMF-Verifier|DIR2-Verifier|DIR2-MDMF-Verifier)$/i;

/** Caps keep their kind and lose their key: `URI:CHK:(secret)`. Verify caps stay. */
export function redactCaps(text: string): string {
  return text.replaceAll(/(URI:)([A-Za-z0-9-]{1,24}):([^\s'"`]+)/gi, (whole, scheme: string, kind: string) =>
    publicKinds.test(kind) ? whole : `${scheme}${kind}:(secret)`,
  );
}

/** Names and passwords in addresses: `http://(secret)@host`. */
export function redactUserInfo(text: string): string {
  return text.replaceAll(/(\/\/)[^/@\s]+@/g, '$1(secret)@');
}
