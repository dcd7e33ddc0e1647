import eu.europa.esig.dss.enumerations.SubIndication;
import eu.europa.esig.dss.model.InMemoryDocument;
import eu.europa.esig.dss.model.x509.CertificateToken;
import eu.europa.esig.dss.simplereport.SimpleReport;
import eu.europa.esig.dss.spi.signature.AdvancedSignature;
import eu.europa.esig.dss.spi.validation.CommonCertificateVerifier;
import eu.europa.esig.dss.spi.x509.CommonTrustedCertificateSource;
import eu.europa.esig.dss.spi.x509.tsp.TimestampToken;
import eu.europa.esig.dss.validation.SignedDocumentValidator;
import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.InputStream;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.Collections;
import java.util.Date;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

/**
 * Has DSS judge the signed files of strangers in archives, off line: as of an hour after the latest
 * time that each file claims, and as if the top certificates that it carries were trusted. Prints a
 * line of JSON for each file, with that time and these anchors, so that others can answer the same
 * question.
 *
 * usage: ForeignJudge JAR...
 */
final class ForeignJudge {
	private ForeignJudge() {}

	/** As of when a file is judged that claims no time: 2026-01-01, in milliseconds. */
	private static final long TIMELESS = 1767225600_000L;

	/** Over these DSS works for minutes. */
	private static final List<String> TOO_LONG = List.of("51sigs.pdf", "lt-short.pdf");

	public static void main(String[] args) throws Exception {
		String policy = DSSJudge.policy(false);
		ExecutorService two = Executors.newFixedThreadPool(2);
		List<Future<String>> lines = new ArrayList<>();
		for (String jar : args) {
			try (ZipFile zip = new ZipFile(jar)) {
				for (ZipEntry e : Collections.list(zip.entries())) {
					byte[] data = zip.getInputStream(e).readAllBytes();
					if (isSigned(e.getName(), data)) {
						lines.add(two.submit(() -> line(new File(jar).getName(), e.getName(), data, policy)));
					}
				}
			}
		}
		two.shutdown();
		for (Future<String> l : lines) {
			System.out.println(l.get());
		}
	}

	/** Tells PDF files, and others in which a value of an XML signature is named. */
	private static boolean isSigned(String name, byte[] data) {
		if (name.endsWith(".class")) {
			return false;
		}
		if (has(data, "%PDF-", StandardCharsets.US_ASCII, 1024)) {
			return true;
		}
		return List.of(StandardCharsets.US_ASCII, StandardCharsets.UTF_16BE, StandardCharsets.UTF_16LE).stream().anyMatch(
			c -> has(data, "SignatureValue", c, data.length));
	}

	private static boolean has(byte[] data, String word, Charset c, int within) {
		byte[] head = java.util.Arrays.copyOf(data, Math.min(within, data.length));
		return new String(head, StandardCharsets.ISO_8859_1).contains(new String(word.getBytes(c), StandardCharsets.ISO_8859_1));
	}

	private static String line(String jar, String name, byte[] data, String policy) throws Exception {
		String sum = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(data));
		long time = TIMELESS;
		CommonTrustedCertificateSource anchors = new CommonTrustedCertificateSource();
		String says = "not asked";
		if (TOO_LONG.stream().noneMatch(name::endsWith)) {
			try {
				Claims claims = new Claims(open(data, name, anchors).getSignatures());
				claims.tops().forEach(anchors::addCertificate);
				time = claims.time().getTime();
				says = judge(open(data, name, anchors), claims.time(), policy);
			} catch (Exception e) {
				says = "refused";
			}
		}
		List<String> encoded = new ArrayList<>();
		anchors.getCertificates().forEach(c -> encoded.add(Base64.getEncoder().encodeToString(c.getEncoded())));
		Collections.sort(encoded);
		return DSSJudge.object("jar", jar, "name", name, "sum", sum, "time", Long.toString(time / 1000),
			"anchors", String.join(" ", encoded), "says", says);
	}

	private static String judge(SignedDocumentValidator v, Date time, String policy) throws Exception {
		v.setValidationTime(time);
		SimpleReport r;
		try (InputStream in = new ByteArrayInputStream(policy.getBytes(StandardCharsets.UTF_8))) {
			r = v.validateDocument(in).getSimpleReport();
		}
		List<String> says = new ArrayList<>();
		for (String id : r.getSignatureIdList()) {
			SubIndication sub = r.getSubIndication(id);
			says.add(r.getIndication(id).toString().replace('_', '-') + (sub == null ? "" : ", " + sub));
		}
		Collections.sort(says);
		return says.isEmpty() ? "no signature" : String.join("; ", says);
	}

	private static SignedDocumentValidator open(byte[] data, String name, CommonTrustedCertificateSource anchors) {
		SignedDocumentValidator v = SignedDocumentValidator.fromDocument(new InMemoryDocument(data, new File(name).getName()));
		CommonCertificateVerifier verifier = new CommonCertificateVerifier(true);
		verifier.setTrustedCertSources(anchors);
		verifier.setCheckRevocationForUntrustedChains(false);
		v.setCertificateVerifier(verifier);
		v.setEnableEtsiValidationReport(false);
		return v;
	}

	/** What the signatures of a file say of times and certificates. */
	private static final class Claims {
		private final Map<String, CertificateToken> certificates = new LinkedHashMap<>();
		private Date latest;

		Claims(List<AdvancedSignature> signatures) {
			for (AdvancedSignature s : signatures) {
				add(s.getSigningTime(), s.getCompleteCertificateSource().getCertificates());
				for (TimestampToken t : s.getAllTimestamps()) {
					add(t.getGenerationTime(), t.getCertificates());
				}
			}
		}

		private void add(Date time, Collection<CertificateToken> more) {
			if (time != null && (latest == null || time.after(latest))) {
				latest = time;
			}
			more.forEach(c -> certificates.put(c.getDSSIdAsString(), c));
		}

		Date time() {
			return latest == null ? new Date(TIMELESS) : new Date(latest.getTime() + 3600_000L);
		}

		/** Those that no other one may have issued. */
		List<CertificateToken> tops() {
			return certificates.values().stream().filter(c -> c.isSelfSigned() || certificates.values().stream().noneMatch(
				o -> o != c && o.getSubject().getPrincipal().equals(c.getIssuerX500Principal()))).toList();
		}
	}
}
