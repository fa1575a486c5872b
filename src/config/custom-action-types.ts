/** What is wrong with options, and where in them. */
export interface OptionProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** The action types of the user's own modules, as far as the file is concerned. */
export interface CustomActionTypes {
  readonly names: readonly string[];
  /** What is wrong with the options of one of these types. */
  problemsOf(name: string, options: unknown): readonly OptionProblem[];
}
