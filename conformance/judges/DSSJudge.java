import eu.europa.esig.dss.diagnostic.DiagnosticData;
import eu.europa.esig.dss.diagnostic.SignatureWrapper;
import eu.europa.esig.dss.diagnostic.TimestampWrapper;
import eu.europa.esig.dss.enumerations.SubIndication;
import eu.europa.esig.dss.jaxb.object.Message;
import eu.europa.esig.dss.model.DSSDocument;
import eu.europa.esig.dss.model.FileDocument;
import eu.europa.esig.dss.model.x509.CertificateToken;
import eu.europa.esig.dss.simplereport.SimpleReport;
import eu.europa.esig.dss.spi.validation.CommonCertificateVerifier;
import eu.europa.esig.dss.spi.x509.CommonTrustedCertificateSource;
import eu.europa.esig.dss.validation.SignedDocumentValidator;
import eu.europa.esig.dss.validation.reports.Reports;
import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.FileInputStream;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/**
 * Has the European Commission's DSS library validate files offline against
 * given anchors, under DSS's own default policy, and prints a line of JSON for
 * each signature it finds, and one with an error for a file it cannot read.
 *
 * usage: DSSJudge [-no-revocation] [-detached FILE]... ANCHOR.pem FILE...
 *
 * With -no-revocation the policy does not demand revocation data (for the
 * levels that carry none); nothing else of it is changed.
 */
final class DSSJudge {
	private DSSJudge() {}

	public static void main(String[] args) throws Exception {
		boolean revocation = true;
		List<DSSDocument> detached = new ArrayList<>();
		int i = 0;
		for (; args[i].startsWith("-"); i++) {
			switch (args[i]) {
				case "-no-revocation" -> revocation = false;
				case "-detached" -> detached.add(new FileDocument(new File(args[++i])));
				default -> throw new IllegalArgumentException(args[i]);
			}
		}
		CommonTrustedCertificateSource anchors = new CommonTrustedCertificateSource();
		try (InputStream in = new FileInputStream(args[i++])) {
			for (Certificate c : CertificateFactory.getInstance("X.509").generateCertificates(in)) {
				anchors.addCertificate(new CertificateToken((X509Certificate) c));
			}
		}
		String policy = policy(revocation);
		for (; i < args.length; i++) {
			judge(args[i], detached, anchors, policy);
		}
	}

	private static void judge(String file, List<DSSDocument> detached, CommonTrustedCertificateSource anchors, String policy) {
		try {
			SignedDocumentValidator v = SignedDocumentValidator.fromDocument(new FileDocument(new File(file)));
			if (!detached.isEmpty()) {
				v.setDetachedContents(detached);
			}
			CommonCertificateVerifier verifier = new CommonCertificateVerifier(true);
			verifier.setTrustedCertSources(anchors);
			verifier.setCheckRevocationForUntrustedChains(false);
			v.setCertificateVerifier(verifier);
			Reports r;
			try (InputStream in = new ByteArrayInputStream(policy.getBytes(StandardCharsets.UTF_8))) {
				r = v.validateDocument(in);
			}
			print(file, r);
		} catch (Exception e) {
			System.out.println(object("file", file, "error", e.toString()));
		}
	}

	private static void print(String file, Reports r) {
		SimpleReport simple = r.getSimpleReport();
		DiagnosticData diagnostic = r.getDiagnosticData();
		for (String id : simple.getSignatureIdList()) {
			SubIndication sub = simple.getSubIndication(id);
			SignatureWrapper s = diagnostic.getSignatureById(id);
			List<String> words = new ArrayList<>();
			for (List<Message> l : List.of(simple.getAdESValidationErrors(id), simple.getAdESValidationWarnings(id))) {
				for (Message m : l) {
					words.add(m.getValue());
				}
			}
			List<String> stamps = new ArrayList<>();
			for (TimestampWrapper t : s.getTimestampList()) {
				boolean intact = t.isMessageImprintDataFound() && t.isMessageImprintDataIntact();
				stamps.add(t.getType() + " " + (intact ? "intact" : "broken") + " " + simple.getIndication(t.getId()));
			}
			System.out.println(object("file", file, "stamps", String.join("; ", stamps), "level", String.valueOf(simple.getSignatureFormat(id)),
				"indication", String.valueOf(simple.getIndication(id)), "sub", sub == null ? "" : sub.toString(),
				"digest", String.valueOf(s.getDigestAlgorithm()), "claims", claims(s), "words", String.join("; ", words)));
		}
		if (simple.getSignatureIdList().isEmpty()) {
			System.out.println(object("file", file, "error", "no signature found"));
		}
	}

	/** What the signature says besides the document. */
	private static String claims(SignatureWrapper s) {
		List<String> out = new ArrayList<>();
		s.getClaimedRoles().forEach(r -> out.add("role " + r.getRole()));
		s.getCommitmentTypeIndications().forEach(c -> out.add("commitment " + c.getIdentifier()));
		List<String> place = new ArrayList<>();
		for (String part : new String[] {s.getCity(), s.getStreetAddress(), s.getStateOrProvince(), s.getPostalCode(), s.getCountryName()}) {
			if (part != null && !part.isEmpty()) {
				place.add(part);
			}
		}
		if (!place.isEmpty()) {
			out.add("place " + String.join(", ", place));
		}
		if (s.isPolicyPresent()) {
			out.add("policy " + s.getPolicyId());
		}
		return String.join("; ", out);
	}

	/** The default policy of the library, without its demands for revocation data if there is none. */
	static String policy(boolean revocation) throws Exception {
		String text;
		try (InputStream in = DSSJudge.class.getClassLoader().getResourceAsStream("policy/constraint.xml")) {
			text = new String(in.readAllBytes(), StandardCharsets.UTF_8);
		}
		if (revocation) {
			return text;
		}
		for (String name : List.of("RevocationDataAvailable", "AcceptableRevocationDataFound", "RevocationInfoAccessPresent")) {
			Pattern p = Pattern.compile("<" + name + " Level=\"[A-Z]+\" */>");
			text = p.matcher(text).replaceAll("<" + name + " Level=\"IGNORE\" />");
		}
		return text;
	}

	static String object(String... pairs) {
		StringBuilder b = new StringBuilder("{");
		for (int i = 0; i < pairs.length; i += 2) {
			b.append(i == 0 ? "" : ",").append(quote(pairs[i])).append(':').append(quote(pairs[i + 1]));
		}
		return b.append('}').toString();
	}

	private static String quote(String s) {
		StringBuilder b = new StringBuilder("\"");
		for (char c : s.toCharArray()) {
			if (c == '"' || c == '\\') {
				b.append('\\').append(c);
			} else if (c < 0x20 || c > 0x7e) {
				b.append(String.format("\\u%04x", (int) c));
			} else {
				b.append(c);
			}
		}
		return b.append('"').toString();
	}
}
