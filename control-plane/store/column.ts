// Kinds of columns.

import type { ColumnType } from 'kysely';

/** Written once. */
export type Immutable<T> = ColumnType<T, T, never>;
