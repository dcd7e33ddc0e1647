import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;

/**
 * Asks several judges in one process, because to start one and to warm it up costs more than
 * most answers. A line on the standard input is a question: the judge's name and its arguments,
 * separated by tabs. The answer is the judge's lines, then "." alone, or "!" and the reason why
 * it could not be asked. The end of the input is the end of the process.
 */
final class Judges {
	private Judges() {}

	public static void main(String[] args) throws Exception {
		BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
		for (String line = in.readLine(); line != null; line = in.readLine()) {
			String[] all = line.split("\t");
			String[] rest = java.util.Arrays.copyOfRange(all, 1, all.length);
			try {
				switch (all[0]) {
					case "DSSJudge" -> DSSJudge.main(rest);
					case "JDKJudge" -> JDKJudge.main(rest);
					case "VeraJudge" -> VeraJudge.main(rest);
					default -> throw new IllegalArgumentException(all[0]);
				}
				System.out.println(".");
			} catch (Exception e) {
				System.out.println("!" + String.valueOf(e).replace('\n', ' '));
			}
			System.out.flush();
		}
	}
}
