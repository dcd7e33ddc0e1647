import java.io.File;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.verapdf.gf.foundry.VeraGreenfieldFoundryProvider;
import org.verapdf.pdfa.Foundries;
import org.verapdf.pdfa.PDFAParser;
import org.verapdf.pdfa.PDFAValidator;
import org.verapdf.pdfa.flavours.PDFAFlavour;
import org.verapdf.pdfa.results.ValidationResult;

/**
 * Has veraPDF judge files by the flavour of PDF/A that each declares and prints
 * a line of JSON for each: whether it keeps the rules, and which it breaks.
 *
 * usage: VeraJudge FILE...
 */
final class VeraJudge {
	private VeraJudge() {}

	public static void main(String[] args) throws Exception {
		Logger.getLogger("").setLevel(Level.OFF);
		VeraGreenfieldFoundryProvider.initialise();
		for (String file : args) {
			System.out.println(judge(file));
		}
	}

	private static String judge(String file) {
		try (PDFAParser parser = Foundries.defaultInstance().createParser(new File(file), PDFAFlavour.NO_FLAVOUR, PDFAFlavour.NO_FLAVOUR)) {
			PDFAFlavour flavour = parser.getFlavour();
			if (flavour == null || flavour == PDFAFlavour.NO_FLAVOUR) {
				return DSSJudge.object("file", file, "flavour", "none");
			}
			try (PDFAValidator validator = Foundries.defaultInstance().createValidator(flavour, false)) {
				ValidationResult r = validator.validate(parser);
				StringBuilder rules = new StringBuilder();
				r.getFailedChecks().keySet().stream().map(id -> id.getClause() + "-" + id.getTestNumber()).sorted()
					.forEach(id -> rules.append(rules.length() == 0 ? "" : " ").append(id));
				return DSSJudge.object("file", file, "flavour", flavour.getId(), "compliant", String.valueOf(r.isCompliant()), "rules", rules.toString());
			}
		} catch (Exception e) {
			return DSSJudge.object("file", file, "error", e.toString());
		}
	}
}
