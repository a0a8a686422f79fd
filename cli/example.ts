/** The lines under the help of a command that can be typed as they stand. */
import type { Context } from './context.ts';

/** The lines under a command's help that can be typed as they stand. */
export function example(context: Pick<Context, 'say'>, ...lines: string[]): string {
  return `\n${context.say('help.example')}\n${lines.map((line) => `  ${line}`).join('\n')}\n`;
}
