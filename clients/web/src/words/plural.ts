// Numbers with nouns: the form that the language asks for.
//
// Invariant: a form that a language does not have falls back to `other`, which every language has.

/** A phrase for each form; a language names those it has. */
export type Forms = { readonly [form in Intl.LDMLPluralRule]?: string } & { readonly other: string };

/** Chooses by the rules of a language. */
export function counted(language: string): (n: number, forms: Forms) => string {
  const rules = new Intl.PluralRules(language);
  return (n, forms) => forms[rules.select(n)] ?? forms.other;
}
