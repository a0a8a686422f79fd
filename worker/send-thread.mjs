// The entry of the thread that sends: TypeScript is to be registered in each thread anew.
import { register } from 'tsx/esm/api';

register();
await import('./send-thread.ts');
