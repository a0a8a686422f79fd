/** The entry of the workflow bundle: every workflow type by name. */
export { cell } from './cell.ts';
export { askForDrill } from './drill.ts';
export { practice } from './practice.ts';
