/* Which screens there are: their names in addresses, in the navigation and in the palette.

   SCREENS   [{ name, label, icon, key, group, load }]; key: the second of "g" and it
   screenNamed(name)   one of them, undefined where there is none

   load is asked when the screen is opened first, so that the page starts with little. */

const screen = (name, label, icon, key, group) => ({ name, label, icon, key, group, load: () => import(`./screens/${name}.js`) });

export const SCREENS = [
  screen("overview", "Overview", "overview", "o", "Cluster"),
  screen("branches", "Branches", "branches", "b", "Cluster"),
  screen("apps", "Apps", "apps", "a", "Work"),
  screen("instances", "Instances", "instances", "i", "Work"),
  screen("queues", "Queues", "queues", "q", "Work"),
  screen("tasks", "Tasks", "tasks", "t", "Work"),
  screen("logs", "Logs", "logs", "l", "Watch"),
  screen("events", "Events", "events", "e", "Watch"),
  screen("tokens", "Tokens", "tokens", "k", "Settings"),
  screen("about", "About and keys", "about", "h", "Settings"),
];

export const screenNamed = (name) => SCREENS.find((each) => each.name === name);
